use super::*;
use expect_test::expect;

fn actor(roles: &[Role]) -> Actor {
    Actor {
        roles: roles.to_vec(),
        ..Actor::hub("kim").within(Some(TenantId::new("acme").unwrap()))
    }
}

/// Which of all acts these roles allow, one line a role.
#[test]
fn what_each_role_may() {
    let line = |role: &Role| {
        let may = |act: &&Act| actor(&[*role]).may(**act).is_ok();
        let acts: Vec<String> = Act::VARIANTS.iter().filter(may).map(Act::to_string).collect();
        format!("{role}: {}\n", acts.join(", "))
    };
    let table: String = Role::VARIANTS.iter().map(line).collect();
    expect![[r#"
        administrator: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read calls, read commands, read the quarantine, read credentials, read accounts, work on tickets, write notes on tickets, attend visits, close tickets, correct outcomes, send commands, replay the quarantine, open claims, change accounts, set budgets, release calls
        supervisor: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read calls, read commands, work on tickets, write notes on tickets, attend visits, close tickets, correct outcomes, open claims, release calls
        agent: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read calls, read commands, work on tickets, write notes on tickets, attend visits, close tickets, open claims
        technician: read appliances, read readings, read findings, read tickets, read events, read commands, write notes on tickets, attend visits, close tickets
        maker: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read commands, read the quarantine, read credentials, send commands, replay the quarantine, open claims
        auditor: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read calls, read commands, read the quarantine, read credentials, read accounts
        owner: claim an appliance
        hub: read appliances, read readings, read figures of the fleet, read findings, read tickets, read events, read calls, read commands, read the quarantine, read credentials, read accounts, work on tickets, write notes on tickets, attend visits, close tickets, correct outcomes, carry tickets on, send commands, replay the quarantine, open claims, claim an appliance, change accounts, set budgets, release calls
    "#]]
    .assert_eq(&table);
}

#[test]
fn one_role_that_may_is_enough() {
    let both = actor(&[Role::Auditor, Role::Technician]);
    assert_eq!(both.may(Act::CloseTickets), Ok(()));
    assert_eq!(both.may(Act::ReadCalls), Ok(()));
    assert!(actor(&[]).may(Act::ReadTickets).is_err());
}

#[test]
fn a_refusal_says_who_what_and_which_roles_may() {
    let refused = actor(&[Role::Technician]).may(Act::WorkTickets).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "kim may not work on tickets: it takes the role administrator or supervisor or agent"
    );
    let confined = Actor {
        sites: Some(vec!["pudong".into()]),
        ..actor(&[Role::Administrator])
    };
    assert_eq!(
        confined.may(Act::ReadAccess).unwrap_err().to_string(),
        "kim may not read credentials: it takes the role administrator or maker or auditor without a limit to sites"
    );
}

#[test]
fn tenants_and_sites_bound_what_is_seen() {
    let (acme, beta) = (TenantId::new("acme").unwrap(), TenantId::new("beta").unwrap());
    let of_acme = actor(&[Role::Agent]);
    let of_pudong = Actor {
        sites: Some(vec!["pudong".into()]),
        ..of_acme.clone()
    };
    let everybody = Actor::hub("scorer");
    let seen = |who: &Actor, tenant, site| who.reaches(tenant, site);
    assert!(seen(&everybody, &beta, None) && seen(&everybody, &beta, Some("x")));
    assert!(seen(&of_acme, &acme, None) && seen(&of_acme, &acme, Some("x")) && !seen(&of_acme, &beta, None));
    assert!(seen(&of_pudong, &acme, Some("pudong")));
    assert!(!seen(&of_pudong, &acme, Some("minhang")) && !seen(&of_pudong, &acme, None));
    assert!(
        !seen(&of_pudong, &beta, Some("pudong")),
        "another tenant's site of the same name"
    );
}

#[test]
fn only_an_administrator_of_everything_runs_the_hub() {
    let whole = Actor {
        tenant: None,
        ..actor(&[Role::Administrator])
    };
    assert!(whole.runs_the_hub());
    assert!(!actor(&[Role::Administrator]).runs_the_hub());
    assert!(
        !Actor {
            roles: vec![Role::Auditor],
            ..whole
        }
        .runs_the_hub()
    );
}
