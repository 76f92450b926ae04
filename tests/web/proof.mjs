// Proves things about the dashboard in a browser: node proof.mjs ADDRESS NAME; prints what it found as JSON.

import assert from "node:assert/strict";
import { enter, visit, withBrowser } from "./browser.mjs";
import { atEase, infected, poorContrast, scrollThrough, unnamed, whereFocusIs } from "./judge.mjs";

const [address, name] = process.argv.slice(2);
const VIEWS = {
  mesh: ["#/mesh", ".graph canvas"],
  agents: ["#/agents", ".agents-list .space .row"],
  agent: ["#/agents/research", ".grid .card"],
  sessions: ["#/sessions", ".sessions-list .space .row"],
  session: ["#/sessions/orders/concierge~customer-00421", ".turn .waterfall li"],
  why: ["#/why/env_1m8kin3", ".trace tr.self"],
  dead: ["#/dead", ".dead-list .space .row"],
  cost: ["#/cost?days=30", ".columns .column:nth-child(30)"],
  chat: ["#/chat?agent=concierge", ".composer textarea"],
  health: ["#/health", ".plain tbody tr"],
  configuration: ["#/configuration", ".lines .line"],
};
const SAY_NOTHING_WRITTEN = ["mesh", "sessions", "cost"]; // names and figures only
const SIZES = [{ width: 1440, height: 900 }, { width: 390, height: 844 }];

/** What a page did that it should not have. */
class Watch {
  constructor(page) {
    this.complaints = [];
    this.strangers = [];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.complaints.push(`${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => this.complaints.push(String(error.stack)));
    page.on("dialog", (dialog) => { this.complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on("request", (request) => new URL(request.url()).host === new URL(address).host || this.strangers.push(request.url()));
  }

  /** A refusal that the server is meant to give stands in the console too, whatever the page makes of it. */
  assertClean(allowed = /^$/) {
    assert.deepEqual(this.complaints.filter((each) => !allowed.test(each)), []);
    assert.deepEqual(this.strangers, []);
  }
}

async function eachView(page, work) {
  for (const [view, [hash, mark]] of Object.entries(VIEWS)) {
    await visit(page, hash);
    await page.waitForSelector(mark, { state: "attached" });
    await work(view);
  }
}

const unfold = (page) => page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
const wish = (what) => fetch(new URL(`test/${what}`, address), { method: "POST" });

async function say(page, text) {
  await page.getByRole("textbox").fill(text);
  await page.keyboard.press("Enter");
}

const PROOFS = {
  async views(page, watch) {
    await enter(page, address);
    for (const size of SIZES) {
      await page.setViewportSize(size);
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await eachView(page, async (view) => {
          assert.deepEqual([view, await page.evaluate(poorContrast)], [view, []]);
          assert.deepEqual([view, await page.evaluate(unnamed)], [view, []]);
        });
      }
    }
    watch.assertClean();
  },

  async token(page, watch) {
    const dialog = page.locator("dialog.token");
    await page.goto(address);
    await dialog.waitFor();
    assert.equal(await page.locator("#views a").count(), 0);
    await page.keyboard.press("Escape");
    assert.ok(await dialog.isVisible());
    await page.getByLabel("Access token").fill("cm_wrong");
    await page.keyboard.press("Enter");
    await page.getByText("does not know this token").waitFor();
    await page.getByLabel("Access token").fill("cm_owner");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#views a");
    await page.reload(); // it is kept for this tab
    await page.waitForSelector("#views a");
    const kept = await page.evaluate(() => [{ ...sessionStorage }, JSON.stringify([{ ...localStorage }, document.cookie, location.href])]);
    assert.deepEqual(kept[0], { "clawmesh.token": "cm_owner" });
    assert.ok(!kept[1].includes("cm_"));
    await wish("revoke/cm_owner");
    await page.evaluate(() => { location.hash = "#/agents"; });
    await dialog.waitFor(); // a 401 brings it back
    await page.getByLabel("Access token").fill("cm_reader");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    await page.waitForSelector('#views a[data-view="configuration"]', { state: "detached" });
    assert.deepEqual(await page.locator("#views a").allTextContents(), ["Agents", "Sessions", "Why", "Health"]);
    await visit(page, "#/chat");
    await page.getByText("needs a token with the scope").waitFor();
    watch.assertClean(/status of 401/);
  },

  async hostile(page, watch) {
    await page.addInitScript(() => { window.ran = 0; });
    await enter(page, address);
    await eachView(page, async (view) => {
      if (view === "chat") {
        await say(page, "<img src=x onerror=window.ran=1>");
        await page.getByText("2,352 tokens").waitFor();
      }
      await unfold(page);
      await page.waitForTimeout(view === "mesh" ? 800 : 50);
      if (!SAY_NOTHING_WRITTEN.includes(view)) assert.match(await page.locator("main").textContent(), /onerror/, view);
      assert.deepEqual([view, await page.evaluate(infected)], [view, { ran: 0, foreign: 0, handlers: [], links: [], styled: 0 }]);
    });
    // The policy holds in the parser's inert document too, and says what it refused there.
    watch.assertClean(/violates the following Content Security Policy directive/);
  },

  async chat(page, watch) {
    await enter(page, address);
    await visit(page, "#/chat?agent=concierge");
    await say(page, "Where is my order? Tell me slowly.");
    const grow = (least) => page.waitForFunction((before) => {
      const length = [...document.querySelectorAll(".live .bubble .text")].at(-1)?.textContent.length ?? 0;
      return length > before && length;
    }, least).then((found) => found.jsonValue());
    await grow(await grow(200));
    assert.ok(!(await page.locator(".log").textContent()).includes("This is void"));
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.", { exact: true }).first().waitFor();
    await say(page, "Once more, slowly");
    await grow(100);
    await page.keyboard.press("Escape");
    await page.locator(".exchange").nth(1).getByText("Stopped.").waitFor();
    await say(page, "And now quickly");
    await page.getByText("2,352 tokens").waitFor();
    const last = page.locator(".exchange").last();
    assert.equal(await last.locator(".prose li").count(), 2);
    assert.equal(await last.locator("details.call").count(), 2);
    assert.equal(await page.locator(".session a").textContent(), "s_1m8fxphyjmegny03");
    await say(page, "please fail");
    await page.locator(".wrong-box").getByText("529").waitFor();
    watch.assertClean();
  },

  async keyboard(page, watch) {
    await enter(page, address);
    await visit(page, "#/mesh");
    await page.reload(); // the first Tab begins at the top
    await page.waitForSelector(".graph-list .space .row");
    const order = [];
    for (let step = 0; step < 16; step += 1) {
      await page.keyboard.press("Tab");
      order.push(await page.evaluate(whereFocusIs));
    }
    assert.deepEqual(order.slice(0, 4).map((each) => each.text), ["Skip to the content", "ClawMesh, first view", "Mesh", "Agents"]);
    assert.deepEqual(order.filter((each) => !each.seen), []);
    await page.locator("#views a", { hasText: "Sessions" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".sessions-list .space .row");
    assert.equal((await page.evaluate(whereFocusIs)).tag, "main"); // the next Tab is in the view
    for (const key of ["Tab", "Tab", "ArrowDown", "ArrowDown", "PageDown", "End"]) await page.keyboard.press(key);
    const row = page.locator(":focus");
    assert.ok(Number(await row.getAttribute("aria-rowindex")) > 100);
    const session = await row.locator("a").textContent();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".turn");
    assert.equal(await page.locator("h1").textContent(), session);
    await visit(page, "#/dead");
    await page.getByRole("button", { name: /^Discard/ }).first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    assert.equal((await page.evaluate(whereFocusIs)).text, "Cancel"); // what cannot be undone is not what Enter does
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    watch.assertClean();
  },

  async deeds(page, watch) {
    await enter(page, address);
    await visit(page, "#/dead");
    const letters = page.locator(".heading [role=status]");
    assert.equal(await letters.textContent(), "40 letters");
    await page.getByRole("button", { name: /again$/ }).first().click();
    await page.locator(".notice", { hasText: "Sent again as" }).waitFor();
    await page.getByRole("button", { name: /^Discard/ }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard" }).click();
    await page.locator(".notice", { hasText: "Discarded." }).waitFor();
    assert.equal(await letters.textContent(), "38 letters");
    await visit(page, "#/configuration");
    await page.getByRole("button", { name: "Reload" }).click();
    await page.locator(".notice", { hasText: "did you mean" }).waitFor();
    await page.getByRole("button", { name: "Reload" }).click();
    await page.locator(".notice", { hasText: "7c41d2" }).waitFor();
    await visit(page, "#/mesh");
    await page.locator(".graph-list .space .row").first().click({ position: { x: 150, y: 10 } });
    await page.locator(".hint").getByRole("link", { name: "Open" }).waitFor();
    for (const theme of ["Dark", "Light"]) {
      await page.getByRole("radio", { name: theme }).check();
      assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), theme.toLowerCase());
    }
    watch.assertClean(/status of 422/);
  },

  /** The API that there really is: an answer, its story, its session, and a turn that is stopped. */
  async real(page, watch) {
    await enter(page, address, process.env.CLAWMESH_TOKEN);
    await page.waitForSelector("#views a");
    await visit(page, "#/mesh");
    await page.waitForSelector('.live-state[data-state="open"]');
    await visit(page, "#/chat?agent=teller");
    await say(page, "How much is it?");
    await page.locator(".prose strong", { hasText: "42" }).waitFor();
    assert.equal(await page.locator("details.call").count(), 1);
    const session = await page.locator(".session a").textContent();
    await page.getByRole("link", { name: "Why?" }).click();
    await page.locator(".trace tr.self").waitFor();
    assert.match(await page.locator(".waterfall").textContent(), /teller.*calculator.*teller/);
    await visit(page, "#/sessions?agent=teller");
    await page.getByRole("link", { name: session }).click();
    await page.locator(".turn .bubble.answered").waitFor();
    await visit(page, "#/chat?agent=slow");
    await say(page, "Take your time");
    await page.getByRole("link", { name: "Why?" }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.", { exact: true }).first().waitFor();
    for (const view of ["agents", "agents/teller", "dead", "cost", "health", "configuration"]) {
      await visit(page, `#/${view}`);
      assert.equal(await page.locator(".failure").count(), 0, view);
    }
    watch.assertClean();
  },

  async scroll(page, watch) {
    await enter(page, address);
    await visit(page, "#/sessions");
    await page.waitForSelector(".sessions-list .space .row");
    const found = await page.evaluate(scrollThrough);
    assert.equal(found.last, "10001", JSON.stringify(found));
    assert.ok(found.most < 900, JSON.stringify(found));
    watch.assertClean();
    return found;
  },

  /** Thousands of events a second, with the page at work beside them. */
  async burst(page, watch) {
    await enter(page, address);
    await visit(page, "#/mesh");
    await page.waitForSelector('.live-state[data-state="open"]');
    const tools = await page.context().newCDPSession(page);
    const heap = async () => {
      await tools.send("HeapProfiler.collectGarbage");
      return (await tools.send("Runtime.getHeapUsage")).usedSize;
    };
    await page.waitForTimeout(4000);
    const before = await heap();
    const found = await page.evaluate(atEase);
    found.grown = (await heap()) - before;
    assert.ok(found.rate > 1500, JSON.stringify(found));
    assert.ok(found.nodes < 1000 && found.failures <= 30, JSON.stringify(found));
    assert.ok(found.grown < 3_000_000, JSON.stringify(found));
    watch.assertClean();
    return found;
  },

  /** The stream of events breaks, and is taken up where it was. */
  async resume(page, watch) {
    await enter(page, address);
    await visit(page, "#/mesh");
    await page.waitForSelector('.live-state[data-state="open"]');
    await page.waitForTimeout(500);
    await wish("cut");
    await page.waitForSelector('.live-state[data-state="lost"]');
    await page.waitForSelector('.live-state[data-state="open"]');
    watch.assertClean();
  },
};

await withBrowser(async (context) => {
  const page = context.pages()[0];
  page.setDefaultTimeout(10_000);
  console.log(JSON.stringify((await PROOFS[name](page, new Watch(page))) ?? {}));
});
