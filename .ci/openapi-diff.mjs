// openapi-diff.mjs BEFORE AFTER: what a client of BEFORE would miss in AFTER. Exit code 1 names each loss.
import { readFileSync } from "node:fs";

const [before, after] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const methods = ["get", "put", "post", "delete", "patch"];
const losses = [];
const lost = (where, what) => losses.push(`${where}: ${what}`);

const resolve = (document, node) => {
  for (let hops = 0; node?.$ref && hops < 20; hops++) {
    node = node.$ref.slice(2).split("/").reduce((at, key) => at?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  return node;
};
const typesOf = (schema) => new Set([schema?.type ?? []].flat());
const shape = (path) => path.replace(/\{[^}]+\}/g, "{}");

/** What the client reads: nothing may go. What it sends: nothing may become required or be refused. */
function compare(where, old, now, isSent, seen) {
  [old, now] = [resolve(before, old), resolve(after, now)];
  if (!old || seen.includes(old) || seen.length > 12) return;
  if (!now) return lost(where, "is gone");
  const deeper = [...seen, old];
  const [oldTypes, nowTypes] = [typesOf(old), typesOf(now)];
  for (const type of isSent ? oldTypes : nowTypes) {
    if (type !== "null" && oldTypes.size && nowTypes.size && !(isSent ? nowTypes : oldTypes).has(type)) lost(where, `${isSent ? "no longer takes" : "may now be"} ${type}`);
  }
  if (isSent && old.enum && now.enum) for (const value of old.enum) if (!now.enum.includes(value)) lost(where, `no longer takes ${JSON.stringify(value)}`);
  for (const [name, property] of Object.entries(old.properties ?? {})) {
    if (!now.properties?.[name]) lost(`${where}.${name}`, "is gone");
    else compare(`${where}.${name}`, property, now.properties[name], isSent, deeper);
  }
  if (isSent) {
    for (const name of now.required ?? []) if (!(old.required ?? []).includes(name)) lost(`${where}.${name}`, "must now be sent");
  } else {
    for (const name of old.required ?? []) if (now.properties?.[name] && !(now.required ?? []).includes(name)) lost(`${where}.${name}`, "may now be missing");
  }
  if (old.items) compare(`${where}[]`, old.items, now.items, isSent, deeper);
}

const json = (content) => Object.entries(content ?? {}).find(([type]) => type.includes("json"))?.[1]?.schema;
const paths = new Map(Object.entries(after.paths).map(([path, item]) => [shape(path), item]));
for (const [path, item] of Object.entries(before.paths)) {
  for (const method of methods.filter((name) => item[name])) {
    const where = `${method.toUpperCase()} ${path}`;
    const [old, now] = [item[method], paths.get(shape(path))?.[method]];
    if (!now) { lost(where, "is gone"); continue; }
    const parameters = (document, operation) => (operation.parameters ?? []).map((p) => resolve(document, p));
    const nows = parameters(after, now);
    for (const parameter of parameters(before, old).filter((p) => p.in !== "path")) {
      const same = nows.find((p) => p.in === parameter.in && p.name === parameter.name);
      if (!same) lost(`${where} ${parameter.in} ${parameter.name}`, "is gone");
      else compare(`${where} ${parameter.in} ${parameter.name}`, parameter.schema, same.schema, true, []);
    }
    for (const parameter of nows.filter((p) => p.required && p.in !== "path")) {
      if (!parameters(before, old).some((p) => p.in === parameter.in && p.name === parameter.name && p.required)) lost(`${where} ${parameter.in} ${parameter.name}`, "must now be sent");
    }
    if (json(resolve(before, old.requestBody)?.content)) compare(`${where} body`, json(resolve(before, old.requestBody).content), json(resolve(after, now.requestBody)?.content), true, []);
    for (const [status, response] of Object.entries(old.responses).filter(([s]) => s.startsWith("2"))) {
      const answer = now.responses[status];
      if (!answer) { lost(`${where} ${status}`, "is no longer answered"); continue; }
      const schema = json(resolve(before, response).content);
      if (schema) compare(`${where} ${status}`, schema, json(resolve(after, answer).content), false, []);
    }
  }
}

for (const loss of [...new Set(losses)]) console.error(loss);
console.log(losses.length === 0 ? "Nothing that clients rely on was taken away." : `${new Set(losses).size} things that clients may rely on were taken away. If this is meant, it needs a new version of the API.`);
process.exit(losses.length === 0 ? 0 : 1);
