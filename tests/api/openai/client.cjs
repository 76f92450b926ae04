// OpenAI's own client for JavaScript: does what a test expects and prints what came of it, one line of JSON.
// Arguments: where the package lies, and the address of the API.
const { OpenAI } = require(process.argv[2]);

const client = new OpenAI({ baseURL: process.argv[3], apiKey: "cm_x", maxRetries: 0 });
const messages = [{ role: "user", content: "weather?" }];

async function main() {
  const told = {};
  told.models = (await client.models.list()).data.map((model) => model.id);

  const whole = await client.chat.completions.create({ model: "helper", messages });
  told.whole = whole.choices[0].message.content;

  const stream = client.chat.completions.stream({ model: "helper", messages });
  told.stream = await stream.finalContent();

  const asked = [];
  const runner = client.chat.completions.runTools({
    model: "helper",
    messages,
    tools: [
      {
        type: "function",
        function: {
          name: "weather",
          description: "Tell the weather.",
          parameters: { type: "object", properties: { town: { type: "string" } } },
          parse: JSON.parse,
          function: ({ town }) => {
            asked.push(town);
            return "rain";
          },
        },
      },
    ],
  });
  told.tools = await runner.finalContent();
  told.asked = asked;

  const response = await client.responses.create({ model: "helper", input: "hi" });
  told.response = response.output_text;

  const events = client.responses.stream({ model: "helper", input: "hi" });
  told.events = (await events.finalResponse()).output_text;

  try {
    await client.chat.completions.create({ model: "nobody", messages });
  } catch (error) {
    told.error = [error.constructor.name, error.status, error.code, error.param];
  }
  console.log(JSON.stringify(told));
}

main();
