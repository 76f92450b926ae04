// Debian's chromium, driven by playwright-core, which lies where CLAWMESH_NODE says.

import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.CLAWMESH_NODE, "package.json"))("playwright-core");

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Run `work` with a browser that keeps nothing. */
export async function withBrowser(work, options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "dashboard-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CLAWMESH_CHROMIUM, args: FLAGS, viewport: { width: 1440, height: 900 }, ...options,
  });
  try {
    await work(context);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Open the dashboard and give it a token. */
export async function enter(page, address, token = "cm_owner") {
  await page.goto(address);
  await page.getByLabel("Access token").fill(token);
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog.token", { state: "detached" });
}

/** Go to a view and wait until it stands. */
export async function visit(page, hash) {
  await page.evaluate((target) => { location.hash = target; }, hash);
  await page.waitForFunction(() => !document.querySelector("main .waiting") && document.querySelector("main .view > *"));
}
