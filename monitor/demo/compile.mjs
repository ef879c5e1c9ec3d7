// Compiles our contracts with the npm compiler into artifacts/*.json (abi and bytecode), or into the folder named as argument.
// The settings leave no metadata in the bytecode, so the same source gives the same bytes anywhere.
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, "contracts");
const out = process.argv[2] ?? join(here, "artifacts");

const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [name, { content: readFileSync(join(folder, name), "utf8") }])),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};

const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors ?? []) console.error(problem.formattedMessage);
if ((output.errors ?? []).some((problem) => problem.severity === "error")) process.exit(1);

mkdirSync(out, { recursive: true });
for (const name of names) {
  const contract = name.replace(".sol", "");
  const { abi, evm } = output.contracts[name][contract];
  const artifact = { contractName: contract, abi, bytecode: "0x" + evm.bytecode.object };
  writeFileSync(join(out, `${contract}.json`), JSON.stringify(artifact, null, 1) + "\n");
}
