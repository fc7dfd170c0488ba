// Every package that the program or its tests bring along has a licence of this list. Reads what restore and npm wrote down; run it after both.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = process.argv[2] ?? resolve(dirname(fileURLToPath(import.meta.url)), "..");
const allowed = new Set(["MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "ISC", "PostgreSQL", "MPL-2.0", "Unlicense", "CC0-1.0", "BlueOak-1.0.0", "Python-2.0", "MS-PL", "Zlib", "blessing"]); // blessing: SQLite, which is in the public domain

// Packages from before licences were expressions: their files or pages were read.
const read = new Map([
  ["microsoft.codeanalysis.analyzers", "MIT"], ["xunit.abstractions", "Apache-2.0"], ["fscheck", "BSD-3-Clause"],
  ["stackexchange.redis", "MIT"], ["sourcegear.sqlite3", "blessing"], ["parse-cache-control", "BSD-3-Clause"],
]);
const pages = [
  [/licenses\.nuget\.org\/([A-Za-z0-9.-]+)$/, (m) => m[1]],
  [/github\.com\/dotnet\/.*LICENSE/i, () => "MIT"], [/go\.microsoft\.com\/fwlink\/\?LinkId=(329770|2028464)/i, () => "MS-NET"],
  [/apache\.org\/licenses\/LICENSE-2\.0/i, () => "Apache-2.0"], [/opensource\.org\/licenses\/MIT/i, () => "MIT"],
];
const tools = new Set(["MS-NET"]); // Microsoft's .NET Library licence: may be used and distributed with a program

/** "(MIT OR Apache-2.0)" needs one of them, "MIT AND Zlib" both. */
const isAllowed = (expression) =>
  expression.replace(/[()]/g, "").split(/\s+OR\s+/i).some((choice) => choice.split(/\s+AND\s+/i).every((name) => allowed.has(name.trim()) || tools.has(name.trim())));

// Data that build tools read: nothing of it is in what they make.
const readWhileBuilding = new Set(["CC-BY-4.0"]);

const problems = [];
let count = 0;
const judge = (name, licence) => {
  count++;
  if (!licence) problems.push(`${name}: says no licence`);
  else if (!isAllowed(licence)) problems.push(`${name}: ${licence} is not on the list`);
};

const walk = (folder, name, found = []) => {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile() && entry.name === name) found.push(join(folder, entry.name));
    else if (entry.isDirectory() && !["node_modules", ".git", "artifacts", "bin"].includes(entry.name)) walk(join(folder, entry.name), name, found);
  }
  return found;
};

const seen = new Set();
for (const path of walk(root, "project.assets.json")) {
  const assets = JSON.parse(readFileSync(path, "utf8"));
  const folders = Object.keys(assets.packageFolders ?? {});
  for (const [id, library] of Object.entries(assets.libraries)) {
    if (library.type !== "package" || seen.has(id)) continue;
    seen.add(id);
    const name = id.split("/")[0].toLowerCase();
    const nuspec = [...folders, join(homedir(), ".nuget/packages")].map((f) => join(f, library.path, `${name}.nuspec`)).find(existsSync);
    const text = nuspec ? readFileSync(nuspec, "utf8") : "";
    const expression = /<license type="expression">([^<]+)</.exec(text)?.[1];
    const page = /<licenseUrl>([^<]+)</.exec(text)?.[1];
    const known = pages.map(([pattern, of]) => { const match = page && pattern.exec(page); return match ? of(match) : null; }).find(Boolean);
    judge(`nuget ${id}`, expression ?? read.get(name) ?? known ?? fileLicence(nuspec, text));
  }
}

/** A licence that lies in the package as a text: told by its first words. */
function fileLicence(nuspec, text) {
  const file = /<license type="file">([^<]+)</.exec(text)?.[1];
  if (!file) return null;
  const words = readFileSync(join(dirname(nuspec), file.replaceAll("\\", "/")), "utf8").replace(/\s+/g, " ");
  if (/Permission is hereby granted, free of charge, to any person obtaining a copy/i.test(words)) return "MIT";
  if (/Apache License,? Version 2\.0/i.test(words)) return "Apache-2.0";
  if (/Redistribution and use in source and binary forms/i.test(words)) return "BSD-3-Clause";
  return `the licence of ${file}`;
}

for (const path of walk(root, "package-lock.json")) {
  for (const [name, entry] of Object.entries(JSON.parse(readFileSync(path, "utf8")).packages)) {
    if (!name) continue;
    const licence = entry.license ?? installed(path, name) ?? read.get(name.replace(/^.*node_modules\//, ""));
    if (entry.dev && readWhileBuilding.has(licence)) count++;
    else judge(`npm ${name.replace(/^.*node_modules\//, "")}@${entry.version}`, licence);
  }
}

function installed(lock, name) {
  const manifest = join(dirname(lock), name, "package.json");
  const licence = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).license : null;
  return typeof licence === "object" ? licence?.type : licence;
}

for (const problem of problems) console.error(problem);
console.log(`${count} packages, ${problems.length} with a licence that is not allowed`);
process.exit(problems.length === 0 && count > 0 ? 0 : 1);
