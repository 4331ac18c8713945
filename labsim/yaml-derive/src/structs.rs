//! Structures with named fields: maps.

use crate::attributes::{Container, FieldDefault, Part};
use crate::implement;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, Error, FieldsNamed, Ident, Type};

/// A field, as it is read.
struct Field<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    key: String,
    part: Part,
}

impl Field<'_> {
    /// `Option<fn() -> T>`: where the value of a key that is left out comes from.
    fn default(&self, container: &Container) -> TokenStream {
        let (ident, ty) = (self.ident, self.ty);
        let of_the_type = quote!((|| <Self as ::core::default::Default>::default().#ident));
        let function = match &self.part.default {
            FieldDefault::Trait => quote!(<#ty as ::core::default::Default>::default),
            FieldDefault::Function(path) => quote!(#path),
            FieldDefault::None if container.default => of_the_type,
            FieldDefault::None => return quote!(::core::option::Option::None),
        };
        quote!(::core::option::Option::Some(#function as fn() -> #ty))
    }

    fn keys(&self) -> TokenStream {
        let (ty, key) = (self.ty, &self.key);
        match &self.part {
            Part { skip: true, .. } => TokenStream::new(),
            Part { flatten: true, .. } => quote!(<#ty as ::labsim_yaml::FromFields>::keys(keys);),
            _ => quote!(keys.define(#key);),
        }
    }

    /// The type that it is read as.
    fn read_as(&self) -> &Type {
        self.part.with.as_ref().unwrap_or(self.ty)
    }

    /// `Option<T>`, read from `fields`.
    fn read(&self, container: &Container) -> TokenStream {
        let (ty, key, default) = (self.ty, &self.key, self.default(container));
        if let Some(with) = &self.part.with {
            let none = quote!(::core::option::Option::None);
            return match self.part.default {
                FieldDefault::None if !container.default => {
                    quote!(fields.field::<#with>(#key, #none).map(<#ty>::from))
                }
                _ => quote! {
                    fields.field::<::core::option::Option<#with>>(#key, #none).and_then(|read| {
                        let default: ::core::option::Option<fn() -> #ty> = #default;
                        read.map(<#ty>::from).or_else(|| default.map(|default| default()))
                    })
                },
            };
        }
        match &self.part {
            Part { skip: true, .. } => {
                quote!(::core::option::Option::Some(<#ty as ::core::default::Default>::default()))
            }
            Part { flatten: true, .. } => {
                quote!(<#ty as ::labsim_yaml::FromFields>::from_fields(fields))
            }
            _ => quote!(fields.field::<#ty>(#key, #default)),
        }
    }

    /// `Option<T>`, where nothing is written.
    fn placeholder(&self, container: &Container) -> TokenStream {
        let (ty, default) = (self.ty, self.default(container));
        if let Some(with) = &self.part.with {
            return match self.part.default {
                FieldDefault::None if !container.default => quote! {
                    ::labsim_yaml::field_placeholder::<#with>(::core::option::Option::None)
                        .map(<#ty>::from)
                },
                _ => quote!({
                    let default: ::core::option::Option<fn() -> #ty> = #default;
                    default.map(|default| default())
                }),
            };
        }
        match &self.part {
            Part { skip: true, .. } => self.read(container),
            Part { flatten: true, .. } => {
                quote!(<#ty as ::labsim_yaml::FromYaml>::placeholder())
            }
            _ => quote!(::labsim_yaml::field_placeholder::<#ty>(#default)),
        }
    }
}

pub(crate) fn derive(
    input: &DeriveInput,
    container: &Container,
    fields: &FieldsNamed,
) -> syn::Result<TokenStream> {
    let fields: Vec<Field<'_>> = fields
        .named
        .iter()
        .map(|field| {
            let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "no name"))?;
            let part = Part::new(&field.attrs)?;
            Ok(Field { ident, ty: &field.ty, key: container.name(&part, ident), part })
        })
        .collect::<syn::Result<_>>()?;

    let name = &input.ident;
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    let idents: Vec<_> = fields.iter().map(|field| field.ident).collect();
    let values: Vec<_> = idents.iter().map(|ident| format_ident!("value_of_{ident}")).collect();
    let keys = fields.iter().map(Field::keys);
    let reads = fields.iter().map(|field| field.read(container));
    let placeholders = fields.iter().map(|field| field.placeholder(container));
    let renamed = container.renamed.iter().map(|(old, new)| quote!(keys.rename(#old, #new);));

    let short = container.short.as_deref().map(|key| Short::new(key, &fields, container));
    let short = short.transpose().map_err(|message| Error::new_spanned(name, message))?;
    let (mut forms, mut expected) = (
        quote!(::labsim_yaml::Forms::MAP),
        quote!(<Self as ::labsim_yaml::FromFields>::expected_map()),
    );
    let mut read = quote!(<Self as ::labsim_yaml::FromFields>::from_map(node, context));
    let mut short_form = TokenStream::new();
    if let Some(Short { ty, key, build }) = short {
        forms = quote!(<#ty as ::labsim_yaml::FromYaml>::FORMS.or(::labsim_yaml::Forms::MAP));
        expected = quote!(::labsim_yaml::either(&[
            <#ty as ::labsim_yaml::FromYaml>::expected(),
            <Self as ::labsim_yaml::FromFields>::expected_map(),
        ]));
        read = quote! {
            match node.choose(
                &[
                    ::labsim_yaml::Alternative::of::<#ty>(),
                    ::labsim_yaml::Alternative::map(),
                ],
                <Self as ::labsim_yaml::FromYaml>::expected,
                context,
            )? {
                0 => {
                    let short = <#ty as ::labsim_yaml::FromYaml>::from_yaml(node, context)?;
                    ::core::option::Option::Some(#build)
                }
                _ => #read,
            }
        };
        short_form = quote! {
            #[automatically_derived]
            impl #parameters ::labsim_yaml::ShortForms for #name #arguments #bounds {
                const FIELD: ::core::option::Option<&'static str> =
                    ::core::option::Option::Some(#key);
            }
        };
    }
    let rest = quote! {
        fn from_yaml(
            node: ::labsim_yaml::Node<'_>,
            context: &mut ::labsim_yaml::Context,
        ) -> ::core::option::Option<Self> {
            #read
        }

        fn placeholder() -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self { #(#idents: #placeholders?,)* })
        }
    };
    let implementation = implement(input, &forms, &expected, &rest);
    Ok(quote! {
        #implementation

        #[automatically_derived]
        impl #parameters ::labsim_yaml::FromFields for #name #arguments #bounds {
            fn keys(keys: &mut ::labsim_yaml::Keys) {
                let _ = &keys;
                #(#keys)*
                #(#renamed)*
            }

            fn from_fields(
                fields: &mut ::labsim_yaml::Fields<'_, '_>,
            ) -> ::core::option::Option<Self> {
                let _ = &fields;
                #(let #values = #reads;)*
                ::core::option::Option::Some(Self { #(#idents: #values?,)* })
            }
        }

        #short_form
    })
}

/// The short form of a structure.
struct Short<'a> {
    ty: &'a Type,
    key: &'a str,
    /// The structure, from `short`.
    build: TokenStream,
}

impl<'a> Short<'a> {
    fn new(
        key: &'a str,
        fields: &'a [Field<'a>],
        container: &Container,
    ) -> Result<Self, &'static str> {
        let field = fields.iter().find(|field| field.key == key);
        let field = field.ok_or("`short` names no field")?;
        let values = fields.iter().map(|other| {
            let (ident, value) = (other.ident, other.placeholder(container));
            if other.key == key { quote!(#ident: short.into()) } else { quote!(#ident: #value?) }
        });
        Ok(Self { ty: field.read_as(), key, build: quote!(Self { #(#values,)* }) })
    }
}
