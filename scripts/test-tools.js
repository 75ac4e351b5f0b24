import { bun, fetchNodecredstash, fetchTool, TEST_TOOLS } from './tools.js';

// Fetches what tests leave out, with a loud line, where it is missing.
for (const [name, tool] of Object.entries(TEST_TOOLS)) fetchTool(name, tool);
fetchTool('bun', bun());
fetchNodecredstash();
