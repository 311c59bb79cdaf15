// Strict rules with types. What a floor may import is held by tests/house/floors.test.ts, so that it holds without a linter too.
import tseslint from "typescript-eslint";

const sources = ["plan", "sites", "components", "stacks", "cli", "lab", "bench"].map(
  (dir) => `${dir}/**/*.ts`,
);
const anyDefaultExport = {
  selector: "ExportDefaultDeclaration",
  message: "Export by name: the name is the word of the glossary.",
};
// plan/ is data in, data out: a clock or a coin in it would make two readings of one list differ.
const impure = [
  {
    selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
    message: "Times are passed in.",
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0]",
    message: "Times are passed in.",
  },
  {
    selector: "MemberExpression[object.name='Math'][property.name='random']",
    message: "No chance in plan/.",
  },
];
const impureGlobals = [
  "process",
  "fetch",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "performance",
  "crypto",
];

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "tests/fixtures/**"] },
  { linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: "error" } },
  {
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 300],
      "no-constant-condition": "error",
      "no-control-regex": "error",
      "no-dupe-else-if": "error",
      "no-empty": "error",
      "no-fallthrough": "error",
      "no-self-assign": "error",
      "no-unreachable": "error",
      "no-unsafe-finally": "error",
      "no-useless-escape": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["**/*.js"],
    languageOptions: {
      sourceType: "commonjs",
      globals: Object.fromEntries(
        [
          "require",
          "module",
          "process",
          "console",
          "__dirname",
          "Buffer",
          "setTimeout",
          "setInterval",
          "clearInterval",
        ].map((name) => [name, "readonly"]),
      ),
    },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", 50],
    },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strict],
    languageOptions: {
      parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "no-restricted-syntax": ["error", anyDefaultExport],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { ignoreRestSiblings: true, argsIgnorePattern: "^_" },
      ],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/return-await": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/no-unnecessary-type-assertion": "error",
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/no-deprecated": "error",
    },
  },
  { files: sources, rules: { "max-lines-per-function": ["error", 50] } },
  {
    files: ["plan/**/*.ts"],
    rules: {
      "no-restricted-syntax": ["error", anyDefaultExport, ...impure],
      "no-restricted-globals": ["error", ...impureGlobals],
    },
  },
  {
    files: ["plan/**/*.ts", "sites/**/*.ts", "components/**/*.ts", "cli/**/*.ts"],
    rules: {
      // What comes from outside is `unknown` until a schema has read it.
      "@typescript-eslint/no-unsafe-assignment": "error",
      "@typescript-eslint/no-unsafe-argument": "error",
      "@typescript-eslint/no-unsafe-member-access": "error",
      "@typescript-eslint/no-unsafe-return": "error",
      "@typescript-eslint/no-unsafe-call": "error",
    },
  },
);
