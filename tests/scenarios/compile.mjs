// Compiles Solidity for the scenarios: {name: source} as JSON on stdin, {contract: {abi, bytecode}} as JSON on stdout.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import solc from "solc";

const sources = JSON.parse(readFileSync(0, "utf8"));
const input = {
  language: "Solidity",
  sources: Object.fromEntries(Object.entries(sources).map(([name, content]) => [name, { content }])),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const library = (path) => ({ contents: readFileSync(join("node_modules", path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: library }));
const errors = (output.errors ?? []).filter((problem) => problem.severity === "error");
for (const problem of errors) console.error(problem.formattedMessage);
if (errors.length) process.exit(1);
const contracts = {};
for (const file of Object.values(output.contracts))
  for (const [name, { abi, evm }] of Object.entries(file)) contracts[name] = { abi, bytecode: "0x" + evm.bytecode.object };
process.stdout.write(JSON.stringify(contracts));
