use super::*;
use crate::id::TenantId;

fn actor(name: &str, tenant: Option<&str>, roles: &[Role]) -> Actor {
    Actor {
        roles: roles.to_vec(),
        ..Actor::hub(name).within(tenant.map(|tenant| TenantId::new(tenant).unwrap()))
    }
}

fn admin(name: &str) -> Actor {
    actor(name, None, &[Role::Administrator])
}

#[test]
fn what_is_no_account_is_refused_in_words() {
    for text in ["hub", "owner", "Administrator", "root", ""] {
        assert_eq!(account_role(text), Err(AccountError::Role(text.to_owned())), "{text}");
    }
    assert_eq!(account_role("technician"), Ok(Role::Technician));
    let fit = actor("kim", Some("acme"), &[Role::Agent]);
    assert_eq!(check_account(&fit), Ok(()));
    let named = |name: &str| {
        check_account(&Actor {
            name: name.into(),
            ..fit.clone()
        })
    };
    for name in ["", "a b", "x\n", &"n".repeat(65)] {
        assert_eq!(named(name), Err(AccountError::Name(name.to_owned())));
    }
    assert_eq!((named("li.wei@acme"), named("小李")), (Ok(()), Ok(())));
    let with = |change: fn(&mut Actor)| {
        let mut changed = fit.clone();
        change(&mut changed);
        check_account(&changed)
    };
    assert_eq!(with(|a| a.roles.clear()), Err(AccountError::NoRole));
    assert_eq!(with(|a| a.roles.push(Role::Hub)), Err(AccountError::Role("hub".into())));
    assert_eq!(with(|a| a.sites = Some(vec![])), Err(AccountError::Sites(0)));
    let nowhere = |a: &mut Actor| (a.tenant, a.sites) = (None, Some(vec!["pudong".into()]));
    assert_eq!(with(nowhere), Err(AccountError::SitesWithoutTenant));
}

#[test]
fn the_last_who_runs_the_hub_stays() {
    let (root, of_acme) = (admin("root"), actor("li", Some("acme"), &[Role::Administrator]));
    let last = Err(AccountError::LastAdministrator("root".into()));
    let accounts = [root.clone(), of_acme.clone()];
    assert_eq!(check_change(&accounts, &root, "root", None), last);
    let demoted = actor("root", None, &[Role::Auditor]);
    assert_eq!(check_change(&accounts, &root, "root", Some(&demoted)), last);
    assert_eq!(check_change(&accounts, &root, "li", None), Ok(()));
    let more = [root.clone(), of_acme, admin("second")];
    assert_eq!(check_change(&more, &root, "root", None), Ok(()));
    let both = actor("root", None, &[Role::Administrator, Role::Agent]);
    assert_eq!(check_change(&accounts, &root, "root", Some(&both)), Ok(()));
}

#[test]
fn nobody_governs_beyond_their_tenant() {
    let of_acme = actor("li", Some("acme"), &[Role::Administrator]);
    let accounts = [
        admin("root"),
        of_acme.clone(),
        actor("wu", Some("beta"), &[Role::Agent]),
    ];
    let unknown = |name: &str| Err(AccountError::Unknown(name.into()));
    assert_eq!(check_change(&accounts, &of_acme, "wu", None), unknown("wu"));
    assert_eq!(check_change(&accounts, &of_acme, "root", None), unknown("root"));
    let wider = actor("li", None, &[Role::Administrator]);
    assert_eq!(check_change(&accounts, &of_acme, "li", Some(&wider)), unknown("li"));
    let add = |new: &Actor| check_addition(&accounts, &of_acme, new);
    assert_eq!(add(&actor("mo", Some("beta"), &[Role::Agent])), unknown("mo"));
    assert_eq!(add(&admin("mo")), unknown("mo"));
    assert_eq!(add(&actor("mo", Some("acme"), &[Role::Agent])), Ok(()));
    assert_eq!(
        add(&actor("li", Some("acme"), &[Role::Agent])),
        Err(AccountError::Taken("li".into()))
    );
    assert_eq!(check_change(&accounts, &of_acme, "nobody", None), unknown("nobody"));
}

#[test]
fn there_are_only_so_many() {
    let accounts: Vec<Actor> = (0..ACCOUNTS_MAX).map(|n| admin(&format!("a{n}"))).collect();
    assert_eq!(
        check_addition(&accounts, &admin("x"), &admin("y")),
        Err(AccountError::Full)
    );
}

#[test]
fn a_password_is_its_persons_and_theirs_who_change_accounts() {
    let (root, agent) = (admin("root"), actor("li", Some("acme"), &[Role::Agent]));
    let accounts = [root.clone(), agent.clone(), actor("wu", Some("acme"), &[Role::Agent])];
    assert_eq!(check_password(&accounts, &agent, "li"), Ok(()));
    assert_eq!(check_password(&accounts, &root, "wu"), Ok(()));
    assert!(matches!(
        check_password(&accounts, &agent, "wu"),
        Err(AccountError::NotAllowed(_))
    ));
    assert_eq!(
        check_password(&accounts, &agent, "root"),
        Err(AccountError::Unknown("root".into()))
    );
}
