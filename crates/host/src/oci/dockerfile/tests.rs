use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<Dockerfile, String> {
    Dockerfile::parse(Path::new("images/x/Dockerfile"), text).map_err(|error| error.to_string())
}

fn kinds(text: &str) -> Vec<Kind> {
    let dockerfile = parse(text).unwrap();
    dockerfile.instructions.into_iter().map(|instruction| instruction.kind).collect()
}

#[test]
fn what_is_beyond_the_subset_is_named_with_its_line_and_the_way_out() {
    for (text, expected) in [
        ("FROM scratch\n\nRUN true\n", "images/x/Dockerfile:3: RUN: the embedded engine does without it"),
        ("FROM scratch\nHEALTHCHECK NONE", "2: HEALTHCHECK"),
        ("FROM debian:13", "1: FROM: the base debian:13 would have to be pulled"),
        ("FROM --platform=linux/arm64 scratch", "1: FROM: the flag --platform"),
        ("FROM scratch\nFROM scratch", "2: FROM: a second stage"),
        ("FROM scratch\nCOPY <<EOF /x\nhi\nEOF", "2: COPY: here-documents"),
        ("FROM scratch\nCOPY --parents a /", "2: COPY: the flag --parents"),
        (
            "# syntax=example.org/other\nFROM scratch",
            "1: directive: the embedded engine reads docker/dockerfile",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("--engine buildx"), "{error}");
    }
}

#[test]
fn bad_instructions_are_named_with_their_line() {
    for (text, expected) in [
        ("", "1: FROM: it is missing"),
        ("FROM scratch\nCOPPY a b", "2: COPPY: it is no Dockerfile instruction"),
        ("ENV A=b\nFROM scratch", "1: ENV: it stands before FROM"),
        ("FROM scratch\nCOPY onlyone", "2: COPY: it needs at least one source"),
        ("FROM scratch\nENV A", "2: ENV: `A` has no value"),
        ("FROM scratch\nENV =b", "2: ENV: `=b` has no name"),
        ("FROM scratch\nARG 1x", "2: ARG: `1x` is no variable name"),
        ("FROM scratch\nCMD ['a']", "2: CMD: ['a'] is no JSON list"),
        ("FROM scratch\nUSER", "2: USER: it has no arguments"),
        ("# escape=x\nFROM scratch", "1: directive: the escape character"),
        ("FROM scratch\0", "NUL"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn instructions_keep_their_first_line_over_continuations_and_comments() {
    let dockerfile = parse(
        "\u{feff}# syntax=docker/dockerfile:1\n# a comment\nARG V=1\nFROM scratch AS x\n  env A=1 \\\n  # in between\n\n  B='two words' \\\n  C=\"$V\"\nUSER 65532\n",
    )
    .unwrap();
    assert_eq!(dockerfile.global[0].kind, Kind::Arg(vec![("V".into(), Some("1".into()))]));
    let lines: Vec<usize> = dockerfile.instructions.iter().map(|instruction| instruction.line).collect();
    assert_eq!(lines, [5, 10]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        dockerfile.instructions[0].kind,
        Kind::Env(vec![pair("A", "1"), pair("B", "'two words'"), pair("C", "\"$V\"")])
    );
}

#[test]
fn the_escape_directive_moves_continuations() {
    assert_eq!(
        kinds("# escape=`\nFROM scratch\nCOPY a `\n  C:\\x\n"),
        [Kind::Copy(Transfer { sources: vec!["a".into()], target: "C:\\x".into(), ..Transfer::default() })]
    );
}

#[test]
fn both_forms_of_commands_lists_and_pairs() {
    let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        kinds(
            "FROM scratch\nENTRYPOINT [\"/a\", \"b c\"]\nCMD echo $HOME\nVOLUME /a /b\nLABEL k some text\nCOPY --from=image --chmod=0755 --chown=1:2 --link [\"a b\", \"/c\"]"
        ),
        [
            Kind::Entrypoint(texts(&["/a", "b c"])),
            Kind::Cmd(texts(&["/bin/sh", "-c", "echo $HOME"])),
            Kind::Volume(texts(&["/a", "/b"])),
            Kind::Label(vec![("k".into(), "some text".into())]),
            Kind::Copy(Transfer {
                from: Some("image".into()),
                chmod: Some("0755".into()),
                chown: Some("1:2".into()),
                sources: texts(&["a b"]),
                target: "/c".into(),
            }),
        ]
    );
}

#[test]
fn variables_expand_as_in_a_shell() {
    let lookup = |name: &str| match name {
        "A" => Some("one".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    for (text, expected) in [
        ("$A", "one"),
        ("x${A}y", "xoney"),
        ("$A.tar", "one.tar"),
        ("${B:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:+yes}${B:+no}", "yes"),
        ("${B:-${A}}", "one"),
        ("'$A'", "$A"),
        ("\"$A 'x'\"", "one 'x'"),
        ("\\$A", "$A"),
        ("\"a\\\"b\\n\"", "a\"b\\n"),
        ("a$", "a$"),
        ("ü$A", "üone"),
    ] {
        assert_eq!(words::expand(text, '\\', &lookup).as_deref(), Ok(expected), "{text}");
    }
    for (text, why) in [
        ("$B", "declare it with `ARG B`"),
        ("${B", "never closed"),
        ("${B:?give it}", "give it"),
        ("${A%x}", "--engine buildx"),
        ("${}", "names no variable"),
        ("'a", "never closed"),
        ("\"a", "never closed"),
    ] {
        assert!(words::expand(text, '\\', &lookup).unwrap_err().contains(why), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_gives_an_answer(text in "(?s)(FROM scratch\n)?.{0,200}") {
        let _ = parse(&text);
        let _ = words::expand(&text, '\\', &|_| Some("v".to_owned()));
    }
}
