// The stock OFREP provider of OpenFeature's server SDK: one line of JSON in (`{key, type, fallback}`), the evaluation out.
import { createInterface } from "node:readline";
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: process.argv[2] }));
const client = OpenFeature.getClient();
const ask = { boolean: "getBooleanDetails", string: "getStringDetails", number: "getNumberDetails" };
for await (const line of createInterface({ input: process.stdin })) {
  const { key, type, fallback } = JSON.parse(line);
  const { value, reason, variant, errorCode } = await client[ask[type]](key, fallback);
  console.log(JSON.stringify({ value, reason, variant, errorCode: errorCode ?? null }));
}
