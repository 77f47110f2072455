// The tasks of the world `languages` in JavaScript. Interfaces of WIT are imported by their names; what WIT calls a
// result's error is thrown.

import { Buffer } from "wasmpool:task/buffers@0.1.0";
import { log } from "wasmpool:task/log@0.1.0";
import { Queue } from "wasmpool:task/queues@0.1.0";
import { emit } from "wasmpool:task/results@0.1.0";

const BLOCK = 64 * 1024;
const DATA = 8;

// QuickJS has no TextEncoder and no TextDecoder.
const encode = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
const decode = (bytes) => decodeURIComponent(escape(Array.from(bytes, (b) => String.fromCharCode(b)).join("")));

const words = (text) => text.split(/[ \t\n\r]+/).filter((word) => word !== "");

// The tag of what WIT calls an error, or what else was thrown.
const tag = (error) => error?.tag ?? error?.payload?.tag ?? String(error);

function counted(words) {
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts];
}

function open(kind, what, name) {
  try {
    return kind.open(name);
  } catch (error) {
    throw `cannot open the ${what} ${name}: ${tag(error)}`;
  }
}

// The numbers s64 and u64 are JavaScript's own here: exact up to 2^53.
export function square(x) {
  return Number(BigInt.asIntN(64, BigInt(x) * BigInt(x)));
}

export function wordCount(text) {
  const all = words(text);
  log("info", `${all.length} words`);
  return counted(all);
}

export function reverse(bytes) {
  return Uint8Array.from(bytes).reverse();
}

export function countTo(n) {
  for (let i = 1; i <= n; i++) emit(encode(JSON.stringify(i)));
  return n;
}

export function addUp(name) {
  const buffer = open(Buffer, "buffer", name);
  const length = buffer.length();
  let sum = 0;
  for (let at = DATA; at < length; at += BLOCK) {
    for (const byte of buffer.read(at, Math.min(BLOCK, length - at))) sum += byte;
  }
  try {
    buffer.updateU64(0, "add", sum);
  } catch (error) {
    throw `cannot change the buffer ${name}: ${tag(error)}`;
  }
  return sum;
}

export function split(text, name) {
  const queue = open(Queue, "queue", name);
  const all = words(text);
  try {
    for (const word of all) queue.put(encode(word), null);
  } catch (error) {
    throw `cannot put into the queue ${name}: ${tag(error)}`;
  }
  return all.length;
}

export function tally(name) {
  const queue = open(Queue, "queue", name);
  const all = [];
  for (;;) {
    try {
      all.push(decode(queue.get(null)));
    } catch (error) {
      if (tag(error) === "closed") return counted(all);
      throw `cannot get from the queue ${name}: ${tag(error)}`;
    }
  }
}
