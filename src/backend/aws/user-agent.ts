import manifest from '../../../package.json' with { type: 'json' };

/**
 * The part of each request's `user-agent` by which CloudTrail shows that this project sent it: `credstash-cli/VERSION`. The
 * SDK's `userAgentAppId` stays the user's (AWS_SDK_UA_APP_ID, `sdk_ua_app_id`), and is sent beside it as `app/ID`.
 */
export const USER_AGENT: [name: string, version: string][] = [
  // A scope's `@` has no place in a product's name (RFC 9110, 10.1.5).
  [manifest.name.replace('@', ''), manifest.version],
];
