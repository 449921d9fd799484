// How the page is built: hashed files, each beside its compressed forms, and a limit on what a first visit loads.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Bytes, compressed by brotli, of all that is fetched before the first page is there. */
const FIRST_LOAD_BYTES = 60_000;

/** A file that is too small gains nothing by being compressed. */
const WORTH_BYTES = 512;

export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: false,
    // Most of the time of this build is in compressing, which is as it should be.
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [compressed()],
  // While the page is worked on: everything but the page is asked of a hob that runs. What counts is the built page, in hob.
  server: {
    proxy: Object.fromEntries(
      ["/admin/api", "/api", "/v1", "/claim", "/trust", "/healthz"].map((path) => [path, proxied()]),
    ),
  },
});

function proxied() {
  const target = process.env["HOB_URL"] ?? "http://localhost:11434";
  return { target, secure: false, changeOrigin: true, headers: { origin: target } };
}

/** Writes NAME.br and NAME.gz beside each file, and holds the first load to its limit. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle: {
      order: "post",
      handler({ dir }, bundle) {
        if (dir === undefined) return;
        const sizes = new Map<string, number>();
        for (const name of Object.keys(bundle)) {
          const bytes = readFileSync(join(dir, name));
          if (bytes.length < WORTH_BYTES) continue;
          const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
          writeFileSync(join(dir, `${name}.br`), brotli);
          writeFileSync(join(dir, `${name}.gz`), gzipSync(bytes, { level: 9 }));
          sizes.set(name, brotli.length);
        }
        const first = firstLoad(bundle);
        const bytes = [...first].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
        this.info(`a first visit loads ${bytes} bytes in ${first.size} files`);
        if (bytes > FIRST_LOAD_BYTES)
          this.error(`a first visit loads ${bytes} bytes, which must be ${FIRST_LOAD_BYTES} at most`);
      },
    },
  };
}

/** What the first page, which is the chat, cannot do without: the entry and all it imports, in the larger of the languages. */
function firstLoad(
  bundle: Parameters<Extract<NonNullable<Plugin["writeBundle"]>, { handler: unknown }>["handler"]>[1],
): Set<string> {
  const wanted = new Set<string>(["index.html"]);
  const add = (name: string): void => {
    const chunk = bundle[name];
    if (wanted.has(name) || chunk?.type !== "chunk") return;
    wanted.add(name);
    for (const css of chunk.viteMetadata?.importedCss ?? []) wanted.add(css);
    chunk.imports.forEach(add);
  };
  for (const chunk of Object.values(bundle)) {
    if (chunk.type !== "chunk") continue;
    const source = chunk.facadeModuleId ?? "";
    if (chunk.isEntry || /\/pages\/chat\/index\.tsx$|\/words\/zh\/index\.ts$/.test(source)) add(chunk.fileName);
  }
  return wanted;
}
