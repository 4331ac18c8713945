//! A sentence for each way in which a text can fail to be YAML.

use granit_parser::ErrorKind as Kind;
use labsim_codes::{Code, file};

use crate::messages::quote;

pub(crate) fn too_deep() -> String {
    "lists and maps stand more than 64 deep in each other here; make it flatter".to_owned()
}

/// The one character that an error is about, where there is one.
pub(crate) fn culprit(kind: &Kind) -> Option<char> {
    match kind {
        Kind::UnexpectedCharacter { character } => Some(*character),
        _ if is_about_a_tab(kind) => Some('\t'),
        _ => None,
    }
}

fn is_about_a_tab(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::TabNotAllowed
            | Kind::TabInBlockIndentation
            | Kind::TabInIndentation
            | Kind::TabAtBlockScalarStart
            | Kind::TabInPlainScalar
            | Kind::InvalidBlockEntryWhitespace
            | Kind::InvalidMappingValueWhitespace
    )
}

/// The code of a syntax error.
pub(crate) fn code(kind: &Kind) -> Code {
    match kind {
        Kind::RecursionLimitExceeded => file::FILE_TOO_LARGE,
        _ => file::YAML_SYNTAX,
    }
}

/// What is wrong at a syntax error's place, and what to do.
pub(crate) fn sentence(kind: &Kind) -> String {
    let fixed = match kind {
        Kind::RecursionLimitExceeded => return too_deep(),
        Kind::UnexpectedCharacter { character } => return character_sentence(*character),
        Kind::MismatchedFlowCollectionEnd { open, close } => {
            return format!("`{open}` is closed by `{close}`; make the brackets match");
        }
        Kind::UnclosedFlowCollection { open } => {
            return format!("this `{open}` is never closed; add its closing bracket");
        }
        _ if is_about_a_tab(kind) => "a tab is not allowed here; indent with spaces",
        Kind::MappingValueNotAllowed => {
            "a `:` cannot stand here; quote the text if it belongs to it, or add the one that a key \
             before it lacks"
        }
        Kind::InvalidColonPlacement | Kind::FlowMappingValueAdjacentCollection => {
            "a `:` cannot stand here; is a bracket before it left open?"
        }
        Kind::UnclosedQuotedScalar => "this quote is never closed; add the closing one",
        Kind::DocumentIndicatorInQuotedScalar => {
            "a quote before this place is never closed; close it"
        }
        Kind::InvalidTrailingSingleQuotedScalar | Kind::InvalidTrailingDoubleQuotedScalar => {
            "text follows the closing quote; put it inside of the quotes, or take it out"
        }
        Kind::UnknownQuotedScalarEscape
        | Kind::InvalidQuotedScalarHexEscape
        | Kind::InvalidLowSurrogateHexEscape
        | Kind::InvalidLowSurrogate
        | Kind::MissingLowSurrogate
        | Kind::UnpairedLowSurrogate
        | Kind::InvalidUnicodeEscape => {
            "`\\` and what follows is not a YAML escape sequence; write `\\\\` for a backslash, or \
             use single quotes"
        }
        Kind::InvalidIndentation
        | Kind::ExpectedBlockMappingKey
        | Kind::ExpectedBlockSequenceEntry
        | Kind::InvalidFlowScalarIndent
        | Kind::InvalidQuotedScalarIndent
        | Kind::InvalidBlockScalarIndent => {
            "this line does not begin where its neighbours do; give all keys or items of one group \
             the same number of spaces"
        }
        Kind::SimpleKeyExpected | Kind::InvalidSimpleKey => {
            "a key needs a `:` and a space behind it; write `key: value`"
        }
        Kind::MappingKeyNotAllowed => "a key cannot stand here; begin a new line with it",
        Kind::BlockSequenceEntryNotAllowed => {
            "a `- ` item cannot stand here; begin a new line with it, or write `[a, b]`"
        }
        Kind::BlockEntryInFlowCollection => {
            "a `- ` item cannot stand within brackets; write `[a, b]`"
        }
        Kind::PlainScalarStartsWithDashFlowIndicator => {
            "a `-` before a bracket or comma; put a space behind it, or quote it"
        }
        Kind::ExpectedFlowSequenceSeparator => "expected `,` or `]` here; add it",
        Kind::ExpectedFlowMappingSeparator => "expected `,` or `}` here; add it",
        Kind::MisplacedFlowCollectionEnd => "this bracket closes nothing; take it out",
        Kind::UnexpectedEofFlowSequence => "the file ends before a `]`; add it",
        Kind::UnexpectedEofFlowMapping | Kind::UnexpectedEofImplicitFlowMapping => {
            "the file ends before a `}`; add it"
        }
        Kind::CommentInterceptedScalar => {
            "a comment is not allowed inside a text; take it out, or quote the text"
        }
        Kind::CommentNotSeparated => "a comment needs a space before its `#`; add it",
        Kind::MissingAnchorOrAliasName => {
            "`&` and `*` need a name behind them; write one, or quote the text"
        }
        Kind::BomInsideDocument => "a byte-order mark is not allowed inside the text; remove it",
        Kind::InvalidBlockScalarHeader | Kind::ZeroBlockScalarIndent => {
            "only `-`, `+` or a digit from 1 to 9 may follow `|` or `>`; begin the text on a new line"
        }
        Kind::InvalidDocumentEnd => "nothing may follow `...` on its line; take it out",
        Kind::ExpectedDocumentStart | Kind::MissingDocumentEndBeforeDirective => {
            "text follows the end of the document; indent it as the rest, or take it out"
        }
        Kind::UndeclaredTagHandle
        | Kind::ExpectedTagBang
        | Kind::InvalidGlobalTagCharacter
        | Kind::InvalidTagTerminator
        | Kind::MissingTagUri
        | Kind::UnclosedVerbatimTag
        | Kind::InvalidTagEscape
        | Kind::InvalidTagUtf8LeadingByte
        | Kind::InvalidTagUtf8TrailingByte
        | Kind::InvalidTagUtf8 => {
            "`!` begins a tag, and tags are not used here; quote the text if the `!` belongs to it"
        }
        Kind::UnsupportedYamlMajorVersion
        | Kind::DuplicateVersionDirective
        | Kind::DuplicateTagDirective
        | Kind::ExpectedTagDirectiveBang
        | Kind::InvalidDirectiveTerminator
        | Kind::DirectiveDisallowed
        | Kind::MissingYamlVersionSeparator
        | Kind::MissingDirectiveName
        | Kind::InvalidDirectiveName
        | Kind::DirectiveByteLimitExceeded { .. }
        | Kind::TooManyReservedDirectiveParams { .. }
        | Kind::YamlVersionTooLong
        | Kind::MissingYamlVersion
        | Kind::InvalidTagDirectiveTerminator => {
            "a `%` at the beginning of a line is for YAML's own directives; take the line out"
        }
        _ => {
            "this is not YAML; look for a quote, a bracket or an indentation that is wrong before it"
        }
    };
    fixed.to_owned()
}

fn character_sentence(character: char) -> String {
    match character {
        '\0' => "the file contains a NUL byte and is not text; name a YAML file".to_owned(),
        '@' | '`' | '%' => {
            format!("a value cannot begin with {}; quote it", quote(&character.to_string()))
        }
        character if character.is_control() => {
            format!(
                "the control character U+{:04X} may not stand here; take it out",
                u32::from(character)
            )
        }
        _ => format!(
            "the character {} cannot stand here; quote the text",
            quote(&character.to_string())
        ),
    }
}
