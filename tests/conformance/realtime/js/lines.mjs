// The other end of tests/node.py: one JSON object a line. Questions come in, answers and news go out.
import { createInterface } from 'node:readline';

// What a client library prints must not get between our lines.
console.log = console.info = console.debug = console.error;

export function tell(name, fields = {}) {
  process.stdout.write(`${JSON.stringify({ told: name, ...fields })}\n`);
}

const problem = (error) => String(error?.stack ?? error?.message ?? error);

for (const kind of ['uncaughtException', 'unhandledRejection']) {
  process.on(kind, (error) => tell('uncaught', { problem: problem(error) }));
}

// operations: name -> (possibly async) function of the question's fields. The program ends with its input.
export function serve(operations, atEnd = async () => {}) {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  lines.on('line', async (line) => {
    const { ask, operation, ...fields } = JSON.parse(line);
    let answer;
    try {
      answer = { answer: ask, result: (await operations[operation](fields)) ?? null };
    } catch (error) {
      answer = { answer: ask, problem: problem(error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  });
  lines.on('close', async () => {
    await Promise.race([atEnd(), new Promise((resolve) => setTimeout(resolve, 3000))]);
    process.exit(0);
  });
}
