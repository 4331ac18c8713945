//! Enums: tagged by a word, or untagged and distinguished by the form of their value.

use crate::attributes::{Container, Part};
use crate::implement;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Error, Fields, Type};

/// The type of a variant's value, if it has one.
fn value_of(variant: &syn::Variant) -> syn::Result<Option<&Type>> {
    match &variant.fields {
        Fields::Unit => Ok(None),
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            Ok(fields.unnamed.first().map(|field| &field.ty))
        }
        other => Err(Error::new_spanned(other, "FromYaml wants a variant with one value or none")),
    }
}

/// A word, or a map of one word and its value.
pub(crate) fn tagged(
    input: &DeriveInput,
    container: &Container,
    data: &DataEnum,
) -> syn::Result<TokenStream> {
    let mut words = Vec::new();
    let mut bare_words = Vec::new();
    let mut arms = Vec::new();
    let mut placeholder = quote!(::core::option::Option::None);
    let mut forms = quote!(::labsim_yaml::Forms::NONE);
    for (index, variant) in data.variants.iter().enumerate() {
        let (part, ident) = (Part::new(&variant.attrs)?, &variant.ident);
        let word = container.name(&part, ident);
        let value = value_of(variant)?;
        if part.placeholder && value.is_none() {
            placeholder = quote!(::core::option::Option::Some(Self::#ident));
        }
        if value.is_none() || part.bare {
            forms = quote!(#forms.or(::labsim_yaml::Forms::SCALAR));
        }
        if value.is_some() {
            forms = quote!(#forms.or(::labsim_yaml::Forms::MAP));
        }
        let read = |ty: &Type| quote!(::labsim_yaml::variant_value::<#ty>(value, context)?);
        arms.push(match value {
            None => quote!(#index => {
                variant.without_value(context);
                Self::#ident
            }),
            Some(ty) if part.bare => {
                let read = read(ty);
                bare_words.push(word.clone());
                quote!(#index => Self::#ident(match variant.optional_value() {
                    ::core::option::Option::Some(value) => #read,
                    ::core::option::Option::None => ::core::default::Default::default(),
                }))
            }
            Some(ty) => {
                let read = read(ty);
                quote!(#index => {
                    let value = variant.value(context)?;
                    Self::#ident(#read)
                })
            }
        });
        words.push(word);
    }
    let rest = quote! {
        fn accepts(text: &str) -> bool {
            [#(#words),*].contains(&text)
        }

        fn from_yaml(
            node: ::labsim_yaml::Node<'_>,
            context: &mut ::labsim_yaml::Context,
        ) -> ::core::option::Option<Self> {
            let variant = ::labsim_yaml::Variant::read(node, &[#(#words),*], context)?;
            ::core::option::Option::Some(match variant.index {
                #(#arms,)*
                _ => return ::core::option::Option::None,
            })
        }

        fn placeholder() -> ::core::option::Option<Self> {
            #placeholder
        }
    };
    let expected = quote!(::labsim_yaml::one_of(&[#(#words),*]));
    let implementation = implement(input, &forms, &expected, &rest);
    let name = &input.ident;
    let (parameters, arguments, bounds) = input.generics.split_for_impl();
    let short_forms = (!bare_words.is_empty()).then(|| {
        quote! {
            #[automatically_derived]
            impl #parameters ::labsim_yaml::ShortForms for #name #arguments #bounds {
                const WORDS: &'static [&'static str] = &[#(#bare_words),*];
            }
        }
    });
    Ok(quote!(#implementation #short_forms))
}

/// A value whose form decides what it is.
pub(crate) fn untagged(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let mut types = Vec::new();
    let mut idents = Vec::new();
    for variant in &data.variants {
        let value = value_of(variant)?;
        types.push(value.ok_or_else(|| Error::new_spanned(variant, "a variant without a value"))?);
        idents.push(&variant.ident);
    }
    let indices = 0..types.len();
    let rest = quote! {
        fn from_yaml(
            node: ::labsim_yaml::Node<'_>,
            context: &mut ::labsim_yaml::Context,
        ) -> ::core::option::Option<Self> {
            let types = [#(::labsim_yaml::Alternative::of::<#types>()),*];
            match node.choose(&types, Self::expected, context)? {
                #(#indices => {
                    <#types as ::labsim_yaml::FromYaml>::from_yaml(node, context).map(Self::#idents)
                })*
                _ => ::core::option::Option::None,
            }
        }

        fn placeholder() -> ::core::option::Option<Self> {
            ::core::option::Option::None
                #(.or_else(|| {
                    <#types as ::labsim_yaml::FromYaml>::placeholder().map(Self::#idents)
                }))*
        }
    };
    let forms =
        quote!(::labsim_yaml::Forms::NONE #(.or(<#types as ::labsim_yaml::FromYaml>::FORMS))*);
    let expected =
        quote!(::labsim_yaml::either(&[#(<#types as ::labsim_yaml::FromYaml>::expected()),*]));
    Ok(implement(input, &forms, &expected, &rest))
}
