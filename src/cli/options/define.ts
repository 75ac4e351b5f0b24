/** An option, by the words that help shows: `-v, --version <version>`, `--json`, `--local [folder]`. */
export interface OptionSpec {
  readonly flags: string;
  readonly description: string;
  /** The values it takes. The grammar refuses any other. */
  readonly choices?: readonly string[];
  /** The values that help and completion show, of an option that is checked later, where its setting is checked too. */
  readonly shown?: readonly string[];
  /** Whether it can be given more than once. */
  readonly repeatable?: true;
  /** Whether the command cannot be run without it. */
  readonly required?: true;
  /** Checks a value as soon as it is read. @throws CredstashError USAGE */
  readonly parse?: (value: string) => string;
}

/** Options by the names that the code has for them: `kmsRegion` of `--kms-region`. In the order of the help. */
export type Options = Readonly<Record<string, OptionSpec>>;

/** The type of an option's value, by its flags. */
type OptionValue<Spec extends OptionSpec> = Spec extends { readonly repeatable: true }
  ? readonly string[]
  : Spec['flags'] extends `--no-${string}`
    ? boolean
    : Spec['flags'] extends `${string}...${string}`
      ? readonly string[] | true
      : Spec['flags'] extends `${string}${'<' | '['}${string}`
        ? string
        : true;

/** Whether an option has a value even if it is not given. */
type IsAlwaysSet<Spec extends OptionSpec> = Spec extends { readonly required: true }
  ? true
  : Spec['flags'] extends `--no-${string}`
    ? true
    : false;

/** The same properties as one type, which TypeScript then compares as such. */
type Flat<Type> = { readonly [Name in keyof Type]: Type[Name] };

/** The values of options, by their names. One that was not given is absent. */
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

/** Options that several commands share. */
export function defineOptions<const Specs extends Options>(specs: Specs): Specs {
  return specs;
}
