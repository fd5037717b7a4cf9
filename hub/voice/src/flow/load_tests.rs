use super::*;

const SHIPPED_TEXT: &str = include_str!("../../flows/owner-call.toml");

fn load(text: &str) -> Result<Flow, FlowError> {
    Flow::load("test.toml", text)
}

#[test]
fn the_flow_that_ships_is_a_good_one() {
    let flow = Flow::owner_call();
    assert_eq!(flow.nodes[flow.start].name, "menu");
    assert_eq!(flow.nodes.iter().filter(|node| !node.say().is_empty()).count(), 10);
}

#[test]
fn the_other_flows_that_ship_are_good_ones() {
    for (flow, start, prompts) in [
        (Flow::visit_call(), "menu", 10),
        (Flow::known_caller(), "menu", 8),
        (Flow::unknown_caller(), "which", 6),
    ] {
        assert_eq!(flow.nodes[flow.start].name, start);
        let saying = flow.nodes.iter().filter(|node| !node.say().is_empty()).count();
        assert_eq!(saying, prompts, "{}", flow.file);
    }
}

/// Each is the flow that ships with one thing changed.
#[test]
fn a_bad_flow_is_refused_with_its_place_and_what_to_do() {
    let goodbye_gathers = "[nodes.goodbye]\nstep = \"gather\"\nkeys = {}\nwrong = \"menu\"\nsilence = \"menu\"";
    let alone = "\n[nodes.alone]\nstep = \"farewell\"\nsay = [\"goodbye\"]\n\n[nodes.goodbye]";
    for (from, to, error) in [
        // Names.
        (
            "start = \"menu\"",
            "start = \"begin\"",
            "start leads to \"begin\", which is no node; add [nodes.begin] or correct the name",
        ),
        (
            "wrong = \"wrong-key\"",
            "wrong = \"wrong\"",
            "nodes.menu leads to \"wrong\", which is no node; add [nodes.wrong] or correct the name",
        ),
        (
            "3 = \"save-person\"",
            "3 = \"person when asked\"",
            "nodes.menu needs the value \"asked\"; declare it under [values] or [optional_values] or correct the name",
        ),
        (
            "say = [\"goodbye\"]",
            "say = [\"good-bye\"]",
            "nodes.goodbye says \"good-bye\", which is no prompt; add it under [prompts] or correct the name",
        ),
        (
            "goodbye = [\"goodbye\"]",
            "goodbye = [\"good-bye\"]",
            "nodes.goodbye says the text \"good-bye\", which i18n/zh-CN/call.ftl has not; add it there or correct the name",
        ),
        (
            "\"slot when slot\"",
            "\"slot if slot\"",
            "prompts.seen has \"slot if slot\", which is no name; write `name`, `name when value` or `name unless value`",
        ),
        // Keys and bounds.
        (
            "3 = \"save-person\"",
            "A = \"save-person\"",
            "nodes.menu has the key \"A\"; a telephone has 0 to 9, * and #",
        ),
        (
            "3 = \"save-person\"",
            "33 = \"save-person\"",
            "nodes.menu has the key \"33\"; a telephone has 0 to 9, * and #",
        ),
        (
            "key_wait_s = 8",
            "key_wait_s = 0",
            "key_wait_s is 0; write a number from 3 to 30",
        ),
        (
            "wrong_max = 3",
            "wrong_max = 256",
            "wrong_max is 256; write a number from 1 to 9",
        ),
        // Ways.
        (
            "[nodes.goodbye]",
            alone,
            "nodes.alone is never reached; lead a key to it or remove it",
        ),
        (
            "silence = \"goodbye\"",
            "silence = \"menu\"",
            "nodes.menu comes to no end if nobody presses a key; let its way lead to a farewell",
        ),
        (
            "saved = \"booked\"",
            "saved = \"menu\"",
            "nodes.booked is never reached; lead a key to it or remove it",
        ),
        (
            "[nodes.goodbye]\nstep = \"farewell\"",
            goodbye_gathers,
            "time_end leads to \"goodbye\", which is no farewell; name one, since the call is cut off soon after",
        ),
        // Values.
        (
            "brand = \"text\"",
            "",
            "prompts.greeting needs the value \"brand\"; declare it under [values] or [optional_values] or correct the name",
        ),
        (
            "by = \"date-time\"",
            "",
            "nodes.another-time needs the value \"by\"; declare it under [values] or [optional_values] or correct the name",
        ),
        (
            "by = \"date-time\"",
            "by = \"date-time\"\nof = \"number\"",
            "values.of is not used; use it or remove it",
        ),
        (
            "by = \"date-time\"",
            "by = \"date-time\"\nslot = \"time-window\"",
            "optional_values.slot is declared under [values] too; remove one of the two",
        ),
        (
            "by = \"date-time\"",
            "by = \"yes-no\"",
            "nodes.another-time says \"by\", but yes-no is not said at all; write `when` or `unless` with it",
        ),
        (
            "\"$serial\"",
            "\"$price\"",
            "nodes.menu says \"price\", but money is not said by itself; say a text that names it",
        ),
        (
            "price = \"money\"",
            "price = \"term\"",
            "nodes.menu says the text \"price-other\", which i18n/zh-CN/call.ftl has not; add it there or correct the name",
        ),
        (
            "\"greeting when brand\"",
            "\"greeting\"",
            "nodes.menu says the text \"greeting\" in calls that have no \"brand\", which it needs; say it `when brand`, \
             or lead here by keys `when brand`",
        ),
        (
            "1 = \"save-slot when slot\"",
            "1 = \"save-slot\"",
            "nodes.booked says the text \"booked\" in calls that have no \"slot\", which it needs; say it `when slot`, \
             or lead here by keys `when slot`",
        ),
        // Prompts.
        (
            "danger = [",
            "warning = [\"unsafe\"]\ndanger = [",
            "prompts.warning is not used; use it or remove it",
        ),
        (
            "goodbye = [\"goodbye\"]",
            "goodbye = [\"goodbye when slot\"]",
            "nodes.goodbye may have nothing to say; add a text that is said in every call",
        ),
    ] {
        assert!(SHIPPED_TEXT.contains(from), "{from}");
        let changed = SHIPPED_TEXT.replacen(from, to, 1);
        let refused = load(&changed).expect_err(&changed).to_string();
        assert_eq!(refused, format!("the flow test.toml cannot be used: {error}"));
    }
}

#[test]
fn what_is_no_flow_at_all_is_refused() {
    for (text, error) in [
        (
            "start = ",
            "the flow test.toml is not written as a flow is; correct the line that is named",
        ),
        (
            &SHIPPED_TEXT.replacen("step = \"gather\"", "step = \"sing\"", 1),
            "the flow test.toml is not written as a flow is; correct the line that is named",
        ),
        (
            &SHIPPED_TEXT.replacen("choice = \"another_time\"", "choice = \"another_day\"", 1),
            "the flow test.toml is not written as a flow is; correct the line that is named",
        ),
        (
            &"#".repeat(64 * 1_024 + 1),
            "the flow test.toml is longer than 65536 bytes; make several flows of it",
        ),
    ] {
        assert_eq!(load(text).expect_err(text).to_string(), error);
    }
}

#[test]
fn a_call_order_has_the_values_that_its_flow_declares() {
    use crate::value::Value;
    let text = |text: &str| Value::Text(text.to_owned());
    let flow = load(
        r#"
        start = "end"
        key_wait_s = 8
        wrong_max = 3
        wrong_end = "end"
        time_end = "end"
        values = { brand = "text" }
        optional_values = { slot = "time-window" }
        prompts.end = ["greeting when brand", "greeting-unnamed unless brand", "slot when slot"]
        nodes.end = { step = "farewell", say = ["end"] }
        "#,
    )
    .unwrap();
    let values = |values: &[(&str, Value)]| -> Values {
        let owned = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        owned.collect()
    };
    assert_eq!(
        flow.accepts(&values(&[("brand", text("Haier")), ("more", text("x"))])),
        Ok(())
    );
    let refused = |given: &[(&str, Value)]| flow.accepts(&values(given)).unwrap_err().to_string();
    assert_eq!(
        refused(&[]),
        "the call order has no value \"brand\", which the flow test.toml declares; hand it in"
    );
    assert_eq!(
        refused(&[("brand", text("Haier")), ("slot", text("soon"))]),
        "the call order's value \"slot\" is text, and the flow test.toml declares time-window; hand in that"
    );
}
