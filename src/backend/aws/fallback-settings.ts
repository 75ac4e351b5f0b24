import { moveArn } from '../../model/region.ts';
import type { Backend } from '../backend.ts';
import type { FallbackChecks } from '../diagnosis.ts';
import type { Probed } from './doctor/fallback.ts';
import type { AwsSettings } from './settings.ts';

/** The settings of a fallback region: the same table and key there. */
export function settingsIn(settings: AwsSettings, region: string): AwsSettings {
  const { clientOptions, table, key } = settings;
  const { dynamodb, kms } = clientOptions ?? {};
  return {
    ...settings,
    region,
    kmsRegion: region,
    table: moveArn(table, region),
    key: moveArn(key, region),
    ...(clientOptions
      ? {
          clientOptions: {
            ...(dynamodb ? { dynamodb: { ...dynamodb, region } } : {}),
            ...(kms ? { kms: { ...kms, region } } : {}),
          },
        }
      : {}),
  };
}

type Opened = Pick<Backend, 'keys' | 'entries'> & {
  readonly probe: () => Promise<Probed>;
  readonly close: () => void;
};

/**
 * The checks of the regions to fall back to. Nothing is opened before it is asked for.
 *
 * @param first the first region, which is left out
 * @param open opens the backend of one region
 * @param closeLater registers a function that is called when the first region's backend closes
 */
export function createFallbackChecks(
  settings: AwsSettings,
  first: string,
  probe: () => Promise<Probed>,
  open: (settings: AwsSettings) => Promise<Opened>,
  closeLater: (close: () => void) => void,
): FallbackChecks[] {
  const regions = (settings.fallbackRegions ?? []).filter((region) => region !== first);
  return regions.map((region) => {
    let opening: Promise<Opened> | undefined;
    const openThere = async (): Promise<Opened> => {
      const opened = await open({ ...settingsIn(settings, region), fallbackRegions: undefined });
      closeLater(opened.close);
      return opened;
    };
    const openOnce = (): Promise<Opened> => (opening ??= openThere());
    return {
      region,
      open: openOnce,
      check: async function* (options) {
        const { checkFallback } = await import('./doctor/fallback.ts');
        yield* checkFallback(await probe(), await (await openOnce()).probe(), options);
      },
    };
  });
}
