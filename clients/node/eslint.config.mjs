import js from "@eslint/js";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist", "node_modules"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts"],
    extends: [ts.configs.strictTypeChecked, ts.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: { complexity: ["error", 15], "max-lines-per-function": ["error", 60], "max-lines": ["error", 350] },
  },
  {
    files: ["tests/**", "*.mjs"],
    languageOptions: {
      globals: Object.fromEntries(
        ["AbortController", "AbortSignal", "Buffer", "console", "fetch", "performance", "process", "ReadableStream", "setTimeout", "URL"].map(
          (name) => [name, "readonly"],
        ),
      ),
    },
  },
);
