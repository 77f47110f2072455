// What the module exports, as wit/guest.wit has it. Interfaces of the pool are imported by their WIT names.

import { log } from "wasmpool:task/log@0.1.0";
import * as tasks from "./tasks.js";

export const square = tasks.square;

export function countWords(text) {
  log("info", `a text of ${text.length} bytes`);
  return tasks.countWords(text);
}
