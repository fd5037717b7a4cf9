//! Reading a site file. A parser of TOML holds more than ten times as much as it reads, so the households and devices of a
//! large file are parsed some at a time. What such a file means is what it means in one piece: wherever there is a doubt,
//! and for every error with its line, it is parsed as one.

use anyhow::{Result, anyhow};
use hub_core::site::{DeclaredHousehold, Device, Owner, Site, WrittenNumber};
use serde::Deserialize;

/// Households and devices that are parsed at a time.
const PIECE: usize = 1_000;

/// Digits from which on a line may hold a telephone number.
const NUMBER_DIGITS_MIN: usize = 7;

/// Reads the text of a site file. Numbers in national form are read by the number plan of their tenant's trunk.
///
/// # Errors
///
/// It is not TOML, not a site, or has a number in national form that cannot be read.
pub fn parse(text: &str) -> Result<Site> {
    match in_pieces(text, PIECE) {
        Some(site) => Ok(site),
        None => {
            let site = toml::from_str::<Site<WrittenNumber>>(text);
            Ok(site.map_err(|error| without_number(error, text))?.read()?)
        }
    }
}

/// What TOML says of a file: with the line that is meant, unless a telephone number may stand in it. Errors end up in logs.
fn without_number(error: toml::de::Error, text: &str) -> anyhow::Error {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let from = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[from..].lines().next().unwrap_or_default();
    let digits = line.chars().filter(|c| c.is_numeric()).count();
    let mut message = error.message().to_owned();
    if digits < NUMBER_DIGITS_MIN && !message.starts_with("a phone number") {
        return error.into();
    }
    // "invalid type: integer `13800138000`, expected a string"
    if message.starts_with("invalid ") {
        message = message.replace(char::is_numeric, "*");
    }
    let (line, column) = (before.matches('\n').count() + 1, before[from..].chars().count() + 1);
    anyhow!("TOML parse error at line {line}, column {column}: {message}")
}

/// Tables `[[tenant.owner]]`, `[[tenant.household]]` and `[[tenant.device]]` in a row, which by themselves are a file too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    tenant: Part,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default, rename = "owner")]
    owners: Vec<Owner<WrittenNumber>>,
    #[serde(default, rename = "household")]
    households: Vec<DeclaredHousehold<WrittenNumber>>,
    #[serde(default, rename = "device")]
    devices: Vec<Device>,
}

/// A file that is cut where tables begin.
struct Cut<'a> {
    /// Everything but the pieces.
    rest: String,
    /// Tables `[[tenant]]` in it.
    tenants: usize,
    /// Each with the number of its tenant.
    pieces: Vec<(usize, &'a str)>,
}

/// None where the pieces are not surely the whole.
fn in_pieces(text: &str, most: usize) -> Option<Site> {
    let cut = Cut::new(text, most)?;
    let mut site = toml::from_str::<Site<WrittenNumber>>(&cut.rest).ok()?.read().ok()?;
    // Otherwise tables are written in another way as well, and their order would change.
    let others = |site: &Site| {
        site.tenants
            .iter()
            .any(|t| !t.owners.is_empty() || !t.households.is_empty() || !t.devices.is_empty())
    };
    if site.tenants.len() != cut.tenants || others(&site) {
        return None;
    }
    for (tenant, piece) in cut.pieces {
        let Piece { tenant: part } = toml::from_str(piece).ok()?;
        let tenant = site.tenants.get_mut(tenant)?;
        let reader = tenant.number_reader();
        for owner in part.owners {
            tenant.owners.push(reader.owner(owner).ok()?);
        }
        for household in part.households {
            tenant.households.push(reader.household(household).ok()?);
        }
        tenant.devices.extend(part.devices);
    }
    Some(site)
}

impl<'a> Cut<'a> {
    /// None where there is nothing to cut, or no telling where.
    fn new(text: &'a str, most: usize) -> Option<Self> {
        // Within a text of several lines, a line may look as if a table began.
        if text.contains("\"\"\"") || text.contains("'''") {
            return None;
        }
        let mut cut = Self {
            rest: String::new(),
            tenants: 0,
            pieces: Vec::new(),
        };
        let (mut at, mut rest_from, mut tables) = (0, 0, 0);
        // Where the piece begins that the line belongs to.
        let mut piece: Option<usize> = None;
        for line in text.split_inclusive('\n') {
            match Begins::at(line) {
                Begins::Nothing => {}
                Begins::HouseholdOrDevice => {
                    if piece.is_some() && tables == most {
                        cut.end(text, &mut piece, at)?;
                    } else if piece.is_none() {
                        cut.rest.push_str(&text[rest_from..at]);
                    }
                    if piece.is_none() {
                        (piece, tables) = (Some(at), 0);
                    }
                    tables += 1;
                }
                begins @ (Begins::Tenant | Begins::OtherTable) => {
                    if piece.is_some() {
                        cut.end(text, &mut piece, at)?;
                        rest_from = at;
                    }
                    cut.tenants += usize::from(begins == Begins::Tenant);
                }
            }
            at += line.len();
        }
        match piece {
            Some(_) => cut.end(text, &mut piece, at)?,
            None => cut.rest.push_str(&text[rest_from..]),
        }
        Some(cut).filter(|cut| !cut.pieces.is_empty())
    }

    fn end(&mut self, text: &'a str, piece: &mut Option<usize>, at: usize) -> Option<()> {
        self.pieces
            .push((self.tenants.checked_sub(1)?, &text[piece.take()?..at]));
        Some(())
    }
}

/// What begins at a line.
#[derive(PartialEq, Eq)]
enum Begins {
    Nothing,
    Tenant,
    HouseholdOrDevice,
    OtherTable,
}

impl Begins {
    fn at(line: &str) -> Self {
        let line = line.trim_start();
        if !line.starts_with('[') {
            return Self::Nothing;
        }
        match line.split('#').next().unwrap_or_default().trim_end() {
            "[[tenant]]" => Self::Tenant,
            "[[tenant.owner]]" | "[[tenant.household]]" | "[[tenant.device]]" => Self::HouseholdOrDevice,
            // Goes with its household.
            "[[tenant.household.person]]" => Self::Nothing,
            _ => Self::OtherTable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    const TENANT: &str =
        "[[tenant]]\nid = 'acme'\nbrand = { zh-CN = 'a', en = 'a' }\nvisit_price = { currency = 'CNY', amount = 1 }\n";

    fn owner(n: usize) -> String {
        format!(
            "[[tenant.owner]] # {n}\nid = 'o-{n}'\nname = \"[[tenant.device]]\"\nlanguage = 'en'\nzone = 'UTC'\nconsent_to_calls = true\n"
        )
    }

    fn device(n: usize) -> String {
        format!("  [[tenant.device]]\r\nid = 'd-{n}'\r\nprofile = 'pump-rig'\nowner = 'o-{n}'\n\n")
    }

    fn household(n: usize) -> String {
        let person = |id: &str| format!("[[tenant.household.person]]\nid = '{id}'\nname = 'P'\nlanguage = 'en'\n");
        let (first, second) = (person("first"), person("second"));
        format!("[[tenant.household]]\nid = 'h-{n}'\nzone = 'UTC'\n{first}numbers = ['+8613800005678']\n{second}")
    }

    /// Two tenants with households and devices in turn, and other tables before, between and after them.
    fn file(devices: usize) -> String {
        let point = "[[tenant.service_point]]\nid = 'p'\nname = { zh-CN = 'p', en = 'p' }\nzone = 'UTC'\nslot = [\n  { day = 'monday', from = '09:00', to = '10:00', capacity = 1 },\n]\n";
        let mut text = format!("# A site.\n{TENANT}{point}");
        for n in 0..devices {
            let _ = write!(text, "{}{}{}", owner(n), device(n), household(n));
            if n == devices / 2 {
                text.push_str("[[tenant.retention]]\ndays = 100\n");
            }
        }
        let _ = write!(text, "{}", TENANT.replace("acme", "beta"));
        (0..devices).for_each(|n| text.push_str(&device(n).replace("owner", "model")));
        text + "[tenant.call_rules]\nattempts_max = 1\n"
    }

    #[test]
    fn a_file_in_pieces_is_the_file() {
        for most in [1, 2, 7, 1_000] {
            let text = file(11);
            let whole: Site = toml::from_str(&text).unwrap();
            assert_eq!(
                (whole.tenants[0].devices.len(), whole.tenants[1].devices.len()),
                (11, 11)
            );
            assert_eq!(in_pieces(&text, most), Some(whole), "{most} at a time");
        }
        let cut = Cut::new(&file(11), 4).map(|cut| (cut.pieces.len(), cut.tenants));
        assert_eq!(
            cut,
            Some((5 + 4 + 3, 2)),
            "18 and 15 tables before and after the rule, and 11 of the other tenant"
        );
        let example = include_str!("../../../deploy/config/site.example.toml");
        assert_eq!(in_pieces(example, PIECE), Some(toml::from_str(example).unwrap()));
    }

    /// Nobody copies hours at which no owner may be rung.
    #[test]
    fn only_the_site_for_trying_rings_at_any_hour() {
        let example = parse(include_str!("../../../deploy/config/site.example.toml")).unwrap();
        let trial = parse(include_str!("../../../deploy/config/site.trial.toml")).unwrap();
        for site in [&example, &trial] {
            let families = ["pump-rig", "washing-machine"].map(str::to_owned);
            site.check(&families.into()).unwrap();
            let trunk = site.tenants[0].trunk.as_ref().unwrap();
            assert_eq!(
                trunk.proxy.to_string(),
                "127.0.0.1:5070",
                "where `forecall phone` listens"
            );
        }
        let defaults = hub_core::call_rules::CallRules::default();
        assert_eq!(example.tenants[0].call_rules, defaults);
        let rules = &trial.tenants[0].call_rules;
        let hours = (rules.from.to_string(), rules.until.to_string());
        assert_eq!(hours, ("00:00:00".to_owned(), "23:59:59".to_owned()));
        assert_eq!(rules.probability_min, defaults.probability_min);
    }

    #[test]
    fn what_is_written_in_another_way_is_read_in_one_piece() {
        let owner_text = owner(1).replace("[[tenant.device]]", "'''");
        let spaced = device(2).replace("[[tenant.device]]", "[[ tenant . device ]]");
        let inline = TENANT.to_owned() + "device = [{ id = 'd-9', profile = 'pump-rig' }]\n";
        for text in [
            TENANT.to_owned(),
            format!("{TENANT}{owner_text}{}", device(1)),
            format!("{TENANT}{}{}{spaced}{}", owner(1), device(1), device(3)),
            format!("{inline}{}", owner(1)),
            format!(
                "{TENANT}{}{}{}",
                household(1),
                device(1),
                "[[tenant.service_point]]\nid = 'p'\nname = { zh-CN = 'p', en = 'p' }\nzone = 'UTC'\n[[tenant.household.person]]\nid = 'c'\nname = 'C'\nlanguage = 'en'\n"
            ),
            format!("{}{}", TENANT.replace("[[tenant]]", "[[ tenant ]]"), device(1)),
        ] {
            assert_eq!(in_pieces(&text, PIECE), None, "{text}");
            let whole: Site = toml::from_str(&text).unwrap();
            assert_eq!(parse(&text).unwrap(), whole, "{text}");
        }
    }

    /// The plan may stand behind the numbers, and in another piece.
    #[test]
    fn national_numbers_are_read_by_their_own_tenants_plan() {
        let trunk = |country: &str, number: &str| {
            format!(
                "[tenant.trunk]\nproxy = '127.0.0.1:5060'\ndomain = 'd'\ncaller_number = '{number}'\n\
                 number_plan = {{ country_code = '{country}' }}\n"
            )
        };
        let phone = |n, number: &str| format!("{}phone = '{number}'\n", owner(n));
        let home = household(3).replace("+8613800005678", "138 0000 5679");
        let other = TENANT.replace("acme", "beta");
        let text = format!(
            "{TENANT}{}{home}{}{}{other}{}{}",
            phone(1, "0138-0000-5678"),
            device(1),
            trunk("86", "021 5550 0100"),
            trunk("49", "030 901820"),
            phone(2, "0171 1234567"),
        );
        let international = text
            .replace("0138-0000-5678", "+8613800005678")
            .replace("138 0000 5679", "+8613800005679")
            .replace("021 5550 0100", "+862155500100")
            .replace("030 901820", "+4930901820")
            .replace("0171 1234567", "+491711234567");
        let whole: Site = toml::from_str(&international).unwrap();
        assert_eq!(in_pieces(&text, 1), Some(whole.clone()));
        assert_eq!(
            parse(&text.replace("  [[tenant.device]]", "[[ tenant.device ]]")).unwrap(),
            whole
        );
        let wrong = parse(&text.replace("country_code = '86'", "country_code = '+86'")).unwrap_err();
        assert!(wrong.to_string().contains("trunk.number_plan.country_code"), "{wrong}");
        let error = parse(&format!("{TENANT}{}", phone(1, "0138 0000 5678"))).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("owner o-1") && error.contains("number_plan"), "{error}");
        assert!(!error.contains("5678"), "{error}");
    }

    #[test]
    fn an_error_shows_no_line_with_a_number() {
        for (line, why) in [
            ("phone = \"138 0013 8OOO\"", "at line 11, column 9: a phone number"),
            ("phone = 13800138000", "at line 11, column 9: invalid type: integer"),
            ("phone = \"138 0013 8000", "at line"),
        ] {
            let error = parse(&format!("{TENANT}{}{line}\n", owner(1))).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(why), "{error}");
            assert!(!error.contains("138") && !error.contains("0013"), "{error}");
        }
        let error = parse(&format!("{TENANT}{}phone = 5\n", owner(1))).unwrap_err();
        assert!(error.to_string().contains("11 | phone = 5"), "{error}");
    }

    #[test]
    fn an_error_names_its_line_of_the_whole_file() {
        let text = file(2_000);
        let nonsense = [
            ("id = 'd-1500'", "id = "),
            ("id = 'd-1500'", "name = 'd-1500'"),
            ("id = 'd-1500'", "id = 'd-1500'\nid = 'd-1500'"),
            ("[[tenant]]\nid = 'beta'", "[tenant]\nid = 'beta'"),
            ("id = 'o-7'", "[tenant.owner.more]\nid = 'o-7'"),
            ("id = 'h-7'", "id = 'h-7'\nid = 'h-7'"),
        ];
        for (right, wrong) in nonsense {
            let text = text.replacen(right, wrong, 1);
            let whole = toml::from_str::<Site>(&text).unwrap_err();
            assert_eq!(parse(&text).unwrap_err().to_string(), whole.to_string());
            assert!(whole.to_string().contains("at line"), "{whole}");
        }
        let none = format!("{}{TENANT}", device(1));
        assert_eq!(parse(&none).is_err(), toml::from_str::<Site>(&none).is_err());
        assert!(parse(&none).is_err());
    }
}
