// The types of what is imported from the pool, as wit/deps has it.

declare module "wasmpool:task/log@0.1.0" {
  export type Level = "error" | "warn" | "info" | "debug" | "trace";
  export function log(level: Level, message: string): void;
}
