// The client libraries of the folder that a script is told first, wherever the script itself lies.
import { createRequire } from "node:module";
import { join } from "node:path";

export const installed = createRequire(join(process.argv[2], "package.json"));
export const url = process.argv[3];
