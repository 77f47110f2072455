import assert from "node:assert/strict";
import { test } from "node:test";
import { countWords, square } from "../src/tasks.js";

test("squares fit or say so", () => {
  assert.equal(square(-12), 144);
  const said = (error: unknown) => error === "the square of 50000 does not fit 32 bits";
  assert.throws(() => square(50000), said);
});

test("words are counted", () => {
  const count = (text: string) => countWords(new TextEncoder().encode(text));
  assert.equal(count("to be, or\n\tnot  to be"), 6);
  assert.equal(count(" \n"), 0);
});
