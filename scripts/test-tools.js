import { bun, fetchNodecredstash, fetchOldSdk, fetchTool, TEST_TOOLS } from './tools.js';

// Fetches the tools without which the tests report, in a loud line, that they left something out.
for (const [name, tool] of Object.entries(TEST_TOOLS)) fetchTool(name, tool);
fetchTool('bun', bun());
fetchNodecredstash();
fetchOldSdk();
