// Every kind of type, given back as it came.

const same = (v) => v;

export const echo = {
  echoBool: same,
  echoS8: same,
  echoU8: same,
  echoS16: same,
  echoU16: same,
  echoS32: same,
  echoU32: same,
  echoS64: same,
  echoU64: same,
  echoF32: same,
  echoF64: same,
  echoChar: same,
  echoString: same,
  echoBytes: same,
  echoStrings: same,
  echoNumbers: same,
  echoTuple: same,
  echoRecord: same,
  echoVariant: same,
  echoEnum: same,
  echoFlags: same,
  echoOption: same,
  echoOptionOption: same,
  echoResults: same,
  // The result of a function itself is returned, or thrown.
  echoOutcome(v) {
    if (v.tag === "ok") return v.val;
    throw v.val;
  },
  echoNested: same,
};
