use super::*;

fn written(text: &str) -> Option<String> {
    parse(text).map(|expression| expression.written())
}

#[test]
fn an_expression_is_read_as_github_binds_it() {
    for (text, same) in [
        ("a || b && c", "(a || (b && c))"),
        ("a && b || c", "((a && b) || c)"),
        ("a == b && c != d", "((a == b) && (c != d))"),
        ("a < 1 == true", "((a < 1) == true)"),
        ("!a.b && !(c)", "(!a.b && !c)"),
        ("a || b || c", "((a || b) || c)"),
        (" github . run_id ", "github.run_id"),
        ("matrix['cpu']", "matrix.cpu"),
        ("matrix['the cpu']", "matrix['the cpu']"),
        ("needs.a.outputs[matrix.b]", "needs.a.outputs[matrix.b]"),
        ("a.*.b", "a.*.b"),
        ("a[*]", "a.*"),
        (
            "format('{0}-it''s', github.run_id, 0x10, -1.5)",
            "format('{0}-it''s', github.run_id, 16, -1.5)",
        ),
        ("always()", "always()"),
        ("matrix.null", "matrix.null"),
    ] {
        assert_eq!(written(text).as_deref(), Some(same), "{text}");
    }
}

#[test]
fn what_github_would_refuse_is_not_read() {
    let deep = format!("{}1{}", "(".repeat(60), ")".repeat(60));
    let long = vec!["a"; 600].join(" || ");
    for text in [
        "", "a b", "a +b", "'open", "(a", "a)", "a.", "a[", "f(a,)", "f(a", "&& a", "a &&",
        "\"a\"", "ä", "1..2", "{}", &deep, &long,
    ] {
        assert_eq!(written(text), None, "{text}");
    }
}

#[test]
fn a_text_is_split_at_its_expressions_and_every_part_knows_where_it_stands() {
    let told: Vec<String> = segments("größe-${{ a }}/${{ '}}' }}${{")
        .iter()
        .map(|segment| match segment {
            Segment::Text { text, at } => format!("{at} text {text}"),
            Segment::Expression { parsed, text, at } => {
                let parsed = parsed.as_ref().map(Expression::written);
                format!("{at} expression {text:?} {parsed:?}")
            }
        })
        .collect();
    assert_eq!(
        told,
        [
            "0 text größe-",
            "9 expression \" a \" Some(\"a\")",
            "14 text /",
            "18 expression \" '}}' \" Some(\"'}}'\")",
            "26 text ${{",
        ]
    );
}
