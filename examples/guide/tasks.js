// What the guides quote, in JavaScript: tasks behind the interface `map`, whose items are JSON.

import { begin, report } from "wasmpool:task/results@0.1.0";

// QuickJS has no TextEncoder and no TextDecoder.
const encode = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
const decode = (bytes) => decodeURIComponent(escape(Array.from(bytes, (b) => String.fromCharCode(b)).join("")));

const tasks = [
  { name: "largest", description: "The largest of some numbers.", call: (numbers) => Math.max(...numbers) },
  {
    name: "initials",
    description: "The first letters of a name.",
    call(name) {
      if (name === "") throw "a name has letters";
      return name.split(" ").map((part) => part[0]).join("");
    },
  },
];

const DONE = 0;
const FAILED = 1;
const INVALID_INPUT = 2;

// What becomes of one item.
function outcome(task, bytes) {
  let item;
  try {
    item = JSON.parse(decode(bytes));
  } catch (error) {
    return [INVALID_INPUT, String(error)];
  }
  try {
    return [DONE, JSON.stringify(task.call(item))];
  } catch (error) {
    return [FAILED, String(error)];
  }
}

// A frame of `results.report`: the item's index, a status, a length, and so many bytes.
function frame(index, [status, text]) {
  const bytes = encode(text);
  const frame = new Uint8Array(9 + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, index, true);
  view.setUint8(4, status);
  view.setUint32(5, bytes.length, true);
  frame.set(bytes, 9);
  return frame;
}

export const map = {
  listTasks: () => tasks.map(({ name, description }) => ({ name, description })),

  run(number, input, output, chunk) {
    const task = tasks[number];
    if (task === undefined) throw { tag: "unknown-task", val: number };
    if (input !== "json") throw { tag: "unsupported-encoding", val: input };
    if (output !== "json") throw { tag: "unsupported-encoding", val: output };
    const bytes = Uint8Array.from(chunk);
    const view = new DataView(bytes.buffer);
    for (let at = 0, index = 0; at < bytes.length; index++) {
      const start = at + 4;
      if (start > bytes.length) throw { tag: "malformed-chunk", val: at };
      const end = start + view.getUint32(at, true);
      if (end > bytes.length) throw { tag: "malformed-chunk", val: at };
      if (begin(index) === "stop") break;
      report(frame(index, outcome(task, bytes.subarray(start, end))));
      at = end;
    }
    return new Uint8Array(0);
  },
};
