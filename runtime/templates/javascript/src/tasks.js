// The tasks: plain functions, which guest.js exports to wasmpool.

// The square of a number. What is thrown is the error of the WIT result: the message of the failed item.
export function square(x) {
  const squared = x * x;
  if (squared > 2 ** 31 - 1) throw `the square of ${x} does not fit 32 bits`;
  return squared;
}

// How many words a text has, which is a Uint8Array.
export function countWords(text) {
  const blanks = [9, 10, 12, 13, 32];
  let words = 0;
  let inside = false;
  for (const byte of text) {
    const blank = blanks.includes(byte);
    if (!blank && !inside) words++;
    inside = !blank;
  }
  return words;
}
