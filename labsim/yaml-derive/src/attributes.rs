//! The attributes that say how a type is written: serde's where serde has a word for it.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprPath, LitStr, Path, Token, Type};

/// The attributes of a type.
#[derive(Default)]
pub(crate) struct Container {
    case: Case,
    /// `default`: keys that are left out are those of the type's own default.
    pub(crate) default: bool,
    pub(crate) untagged: bool,
    /// `try_from`: the type that is read instead.
    pub(crate) raw: Option<Type>,
    /// `yaml(short = "field")`: a value that is no map is that field's.
    pub(crate) short: Option<String>,
    /// `yaml(renamed(old = "new"))`: former keys.
    pub(crate) renamed: Vec<(String, String)>,
}

/// The attributes of a field or variant.
#[derive(Default)]
pub(crate) struct Part {
    rename: Option<String>,
    pub(crate) default: FieldDefault,
    pub(crate) flatten: bool,
    pub(crate) skip: bool,
    /// `yaml(bare)`: the variant's word may stand without its value.
    pub(crate) bare: bool,
    /// `yaml(placeholder)`: the variant, which has no value, stands for one that is wrong.
    pub(crate) placeholder: bool,
    /// `yaml(with = "Type")`: the type that the field is read as, and converted from.
    pub(crate) with: Option<Type>,
}

/// Where the value of a key that is left out comes from.
#[derive(Default)]
pub(crate) enum FieldDefault {
    #[default]
    None,
    Trait,
    Function(ExprPath),
}

#[derive(Clone, Copy, Default)]
enum Case {
    #[default]
    AsIs,
    Lower,
    Snake,
    Kebab,
}

impl Container {
    pub(crate) fn new(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut this = Self::default();
        each(attributes, "serde", |meta| {
            match word(&meta.path).as_str() {
                "rename_all" => this.case = Case::new(&text(&meta)?)?,
                "default" => this.default = true,
                "untagged" => this.untagged = true,
                "try_from" => this.raw = Some(text(&meta)?.parse()?),
                // What only concerns how serde writes; unknown keys are always refused.
                "deny_unknown_fields" | "into" | "transparent" | "rename" | "bound" => skip(&meta)?,
                _ => return Err(meta.error("FromYaml does not know this attribute")),
            }
            Ok(())
        })?;
        each(attributes, "yaml", |meta| {
            match word(&meta.path).as_str() {
                "short" => this.short = Some(text(&meta)?.value()),
                "renamed" => {
                    return meta.parse_nested_meta(|pair| {
                        this.renamed.push((word(&pair.path), text(&pair)?.value()));
                        Ok(())
                    });
                }
                _ => return Err(meta.error("FromYaml knows `short` and `renamed`")),
            }
            Ok(())
        })?;
        Ok(this)
    }

    /// What a field or variant is called in a file.
    pub(crate) fn name(&self, part: &Part, ident: &syn::Ident) -> String {
        part.rename.clone().unwrap_or_else(|| self.case.of(ident))
    }
}

impl Part {
    pub(crate) fn new(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut this = Self::default();
        each(attributes, "serde", |meta| {
            match word(&meta.path).as_str() {
                "rename" => this.rename = Some(text(&meta)?.value()),
                "default" if meta.input.peek(Token![=]) => {
                    this.default = FieldDefault::Function(text(&meta)?.parse()?);
                }
                "default" => this.default = FieldDefault::Trait,
                "flatten" => this.flatten = true,
                "skip" | "skip_deserializing" => this.skip = true,
                "skip_serializing"
                | "skip_serializing_if"
                | "serialize_with"
                | "with"
                | "deserialize_with" => skip(&meta)?,
                _ => return Err(meta.error("FromYaml does not know this attribute")),
            }
            Ok(())
        })?;
        each(attributes, "yaml", |meta| match word(&meta.path).as_str() {
            "bare" => {
                this.bare = true;
                Ok(())
            }
            "placeholder" => {
                this.placeholder = true;
                Ok(())
            }
            "with" => {
                this.with = Some(text(&meta)?.parse()?);
                Ok(())
            }
            _ => Err(meta.error("FromYaml knows `bare`, `placeholder` and `with`")),
        })?;
        Ok(this)
    }
}

impl Case {
    fn new(name: &LitStr) -> syn::Result<Self> {
        match name.value().as_str() {
            "lowercase" => Ok(Self::Lower),
            "snake_case" => Ok(Self::Snake),
            "kebab-case" => Ok(Self::Kebab),
            _ => Err(syn::Error::new(name.span(), "FromYaml does not know this case")),
        }
    }

    /// A field's or a variant's name in this case.
    fn of(self, ident: &syn::Ident) -> String {
        let name = ident.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name);
        let separator = match self {
            Self::AsIs => return name.to_owned(),
            Self::Lower => return name.to_ascii_lowercase(),
            Self::Snake => '_',
            Self::Kebab => '-',
        };
        let mut cased = String::new();
        for (index, character) in name.chars().enumerate() {
            if character.is_ascii_uppercase() && index > 0 {
                cased.push(separator);
            }
            cased.push(match character {
                '_' => separator,
                other => other.to_ascii_lowercase(),
            });
        }
        cased
    }
}

fn each(
    attributes: &[Attribute],
    name: &str,
    mut take: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(name))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut take))
}

fn word(path: &Path) -> String {
    path.get_ident().map(ToString::to_string).unwrap_or_default()
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    meta.value()?.parse()
}

/// Passes over an attribute's value.
fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<Expr>()?;
    }
    Ok(())
}
