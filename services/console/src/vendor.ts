/**
 * The modules of other packages that the page imports: path below the page's `/` → specifier, for `import.meta.resolve`. The
 * page's own files are `page/*.{html,css,mjs,svg}`, served at `/` under their names. The import map in `page/index.html` is
 * its one inline script: the content security policy admits it by its hash.
 */
export const VENDOR: Readonly<Record<string, string>> = {
  "/vendor/preact.mjs": "preact",
  "/vendor/preact-hooks.mjs": "preact/hooks",
  "/vendor/htm.mjs": "htm",
};
