/** The definition of an option. */
export interface OptionSpec {
  /** Its names and value as help shows them: `-v, --version <version>`, `--json`, `--local [folder]`. */
  readonly flags: string;
  readonly description: string;
  /** The allowed values. The grammar refuses any other. */
  readonly choices?: readonly string[];
  /** The values that help and completion show, for an option whose value is checked later, together with its setting. */
  readonly shown?: readonly string[];
  /** Whether it can be given more than once. */
  readonly repeatable?: true;
  /** Whether a second one is refused. Of other options the last one counts, as in the original. */
  readonly once?: true;
  /** Whether the command needs it. */
  readonly required?: true;
  /** Checks a value as soon as it is read. @throws CredstashError USAGE */
  readonly parse?: (value: string) => string;
}

/** Options by their names in the code, such as `kmsRegion` for `--kms-region`, in the order of the help. */
export type Options = Readonly<Record<string, OptionSpec>>;

/** The type of an option's value, by its flags. */
type OptionValue<Spec extends OptionSpec> = Spec extends { readonly repeatable: true }
  ? readonly string[]
  : Spec['flags'] extends `--no-${string}`
    ? boolean
    : Spec['flags'] extends `${string}...${string}`
      ? readonly string[] | true
      : Spec['flags'] extends `${string}${'<' | '['}${string}`
        ? Spec extends { readonly choices: readonly (infer Choice)[] }
          ? Choice
          : string
        : true;

/** Whether an option has a value even if it is not given. */
type IsAlwaysSet<Spec extends OptionSpec> = Spec extends { readonly required: true }
  ? true
  : Spec['flags'] extends `--no-${string}`
    ? true
    : false;

/** Merges an intersection into one object type, so that TypeScript compares and shows its properties. */
type Flat<Type> = { readonly [Name in keyof Type]: Type[Name] };

/** The values of options, by their names. An option that is not given has no property. */
export type OptionValues<Specs extends Options> = Flat<
  {
    [Name in keyof Specs as IsAlwaysSet<Specs[Name]> extends true ? Name : never]: OptionValue<
      Specs[Name]
    >;
  } & {
    [Name in keyof Specs as IsAlwaysSet<Specs[Name]> extends true ? never : Name]?: OptionValue<
      Specs[Name]
    >;
  }
>;

/** Defines options that several commands share. */
export function defineOptions<const Specs extends Options>(specs: Specs): Specs {
  return specs;
}
