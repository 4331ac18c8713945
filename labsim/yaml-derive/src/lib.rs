//! `#[derive(FromYaml)]`; documented in `labsim-yaml`, which exports it.

#![forbid(unsafe_code)]

mod attributes;
mod enums;
mod structs;

use attributes::Container;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, parse_macro_input, parse_quote};

/// Implements `FromYaml` for structs with named fields and for enums, by serde's attributes.
#[proc_macro_derive(FromYaml, attributes(serde, yaml))]
pub fn derive_from_yaml(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    from_yaml(input).unwrap_or_else(Error::into_compile_error).into()
}

fn from_yaml(mut input: DeriveInput) -> syn::Result<TokenStream> {
    let container = Container::new(&input.attrs)?;
    for parameter in input.generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::labsim_yaml::FromYaml));
    }
    if let Some(raw) = &container.raw {
        return Ok(converted(&input, raw));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => structs::derive(&input, &container, fields),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let inner: Vec<_> = fields.unnamed.iter().map(|field| &field.ty).collect();
                Ok(newtype(&input, inner[0]))
            }
            other => Err(Error::new_spanned(other, "FromYaml wants named fields, or one field")),
        },
        Data::Enum(data) if container.untagged => enums::untagged(&input, data),
        Data::Enum(data) => enums::tagged(&input, &container, data),
        Data::Union(data) => {
            Err(Error::new_spanned(data.union_token, "FromYaml cannot read a union"))
        }
    }
}

/// `impl FromYaml for` the type, with what every implementation has.
fn implement(
    input: &DeriveInput,
    forms: &TokenStream,
    expected: &TokenStream,
    rest: &TokenStream,
) -> TokenStream {
    let name = &input.ident;
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters ::labsim_yaml::FromYaml for #name #arguments #bounds {
            const FORMS: ::labsim_yaml::Forms = #forms;

            fn expected() -> ::std::string::String {
                #expected
            }

            #rest
        }
    }
}

/// `#[serde(try_from = "Raw")]`.
fn converted(input: &DeriveInput, raw: &syn::Type) -> TokenStream {
    let rest = quote! {
        fn from_yaml(
            node: ::labsim_yaml::Node<'_>,
            context: &mut ::labsim_yaml::Context,
        ) -> ::core::option::Option<Self> {
            let errors = context.errors();
            let raw = <#raw as ::labsim_yaml::FromYaml>::from_yaml(node, context);
            context.convert(node, raw, errors, |raw: #raw| ::core::convert::TryFrom::try_from(raw))
        }
    };
    let expected = quote!(<#raw as ::labsim_yaml::FromYaml>::expected());
    implement(input, &quote!(<#raw as ::labsim_yaml::FromYaml>::FORMS), &expected, &rest)
}

/// A structure of one field without a name: read as that field.
fn newtype(input: &DeriveInput, inner: &syn::Type) -> TokenStream {
    let rest = quote! {
        fn accepts(text: &str) -> bool {
            <#inner as ::labsim_yaml::FromYaml>::accepts(text)
        }

        fn from_yaml(
            node: ::labsim_yaml::Node<'_>,
            context: &mut ::labsim_yaml::Context,
        ) -> ::core::option::Option<Self> {
            <#inner as ::labsim_yaml::FromYaml>::from_yaml(node, context).map(Self)
        }

        fn when_missing() -> ::core::option::Option<Self> {
            <#inner as ::labsim_yaml::FromYaml>::when_missing().map(Self)
        }

        fn placeholder() -> ::core::option::Option<Self> {
            <#inner as ::labsim_yaml::FromYaml>::placeholder().map(Self)
        }
    };
    let expected = quote!(<#inner as ::labsim_yaml::FromYaml>::expected());
    implement(input, &quote!(<#inner as ::labsim_yaml::FromYaml>::FORMS), &expected, &rest)
}
