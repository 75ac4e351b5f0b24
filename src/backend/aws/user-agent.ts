import manifest from '../../../package.json' with { type: 'json' };

/**
 * The part of each request's `user-agent` by which CloudTrail shows that this project sent it: `credstash-cli/VERSION`. The
 * SDK's `userAgentAppId` stays the user's (AWS_SDK_UA_APP_ID, `sdk_ua_app_id`), and is sent beside it as `app/ID`.
 */
export const USER_AGENT: [name: string, version: string][] = [[manifest.name, manifest.version]];
