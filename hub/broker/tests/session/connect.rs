//! CONNECT: log-ins, certificates, versions, wills, keepalive, what is granted.

use crate::fixture::*;
use hub_broker::session::packet::Granted;
use hub_broker::session::{
    Access, ClientCertificate, CloseReason, Connect, Event, Incoming, Kind, Login, Outgoing, Reason, Session, Verdict,
};
use hub_core::id::TenantId;
use hub_store::access::Credential;
use std::time::Duration;

fn with_user(user_name: &str) -> Connect {
    Connect {
        login: Some(Login {
            user_name: user_name.into(),
            password: "secret".into(),
        }),
        ..hello(V4)
    }
}

fn refusal_of(connect: Connect) -> Option<Reason> {
    let mut session = new();
    session.handle_packet(Incoming::Connect(Box::new(connect)), start());
    transmitted(&mut session).into_iter().find_map(|packet| match packet {
        Outgoing::ConnAck { reason, .. } => Some(reason),
        _ => None,
    })
}

fn granted(session: &mut Session) -> Granted {
    settle_store(session);
    match transmitted(session).as_slice() {
        [
            Outgoing::ConnAck {
                reason: Reason::Success,
                granted: Some(granted),
                ..
            },
        ] => (**granted).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn user_names() {
    let long = "x".repeat(257);
    for user_name in ["", "acme/", "/washer", "acme/a/b", "家电/冰箱", long.as_str()] {
        assert_eq!(refusal_of(with_user(user_name)), Some(Reason::BadLogin), "{user_name}");
    }
    for user_name in ["acme/washer", "A1_TOKEN"] {
        assert_eq!(refusal_of(with_user(user_name)), None, "{user_name}");
    }
    assert_eq!(
        refusal_of(Connect {
            login: None,
            ..hello(V5)
        }),
        Some(Reason::BadLogin)
    );
}

#[test]
fn a_certificate_needs_no_user_name_and_one_that_is_given_agrees() {
    let certificate = || ClientCertificate {
        tenant: TenantId::new("acme").unwrap(),
        device: washer(),
    };
    let asked = |login: Option<&str>| {
        let mut session = Session::new(LIMITS, Some(certificate()), 1, start());
        let connect = Connect {
            login: None,
            ..hello(V5)
        };
        let connect = login.map_or(connect, with_user);
        session.handle_packet(Incoming::Connect(Box::new(connect)), start());
        match session.poll_event() {
            Some(Event::Authenticate(credential)) => Ok(credential),
            Some(Event::Closed(reason)) => Err(reason.reason()),
            other => panic!("{other:?}"),
        }
    };
    let ClientCertificate { tenant, device } = certificate();
    let expected = Credential::Certificate { tenant, device };
    assert_eq!(asked(None), Ok(expected.clone()));
    assert_eq!(asked(Some("acme/washer")), Ok(expected));
    for other in ["acme/dryer", "bmce/washer", "A_TOKEN"] {
        assert_eq!(asked(Some(other)), Err(Reason::NotAuthorised), "{other}");
    }
}

#[test]
fn secrets_are_not_in_debug_output() {
    for user_name in ["TOP-TOKEN", "acme/washer"] {
        let mut session = new();
        let packet = Incoming::Connect(Box::new(with_user(user_name)));
        let mut shown = format!("{packet:?}");
        session.handle_packet(packet, start());
        shown += &format!("{session:?}{:?}", session.poll_event());
        assert!(!shown.contains("secret") && !shown.contains("TOP-TOKEN"), "{shown}");
    }
}

#[test]
fn what_cannot_be_served_is_refused_before_anyone_is_asked() {
    let mut authentication = hello(V5);
    authentication.properties.authentication = true;
    assert_eq!(refusal_of(authentication), Some(Reason::BadAuthentication));
    let mut deaf = hello(V5);
    deaf.properties.packet_bytes_max = 127;
    assert_eq!(refusal_of(deaf), Some(Reason::PacketTooLarge));
    let nameless = Connect {
        client_id: false,
        clean_start: false,
        ..hello(V4)
    };
    assert_eq!(refusal_of(nameless.clone()), Some(Reason::ClientId));
    assert_eq!(Reason::ClientId.connack_v4(), 0x02);
    assert_eq!(
        refusal_of(Connect {
            version: V5,
            ..nameless
        }),
        None
    );
}

#[test]
fn what_is_granted_in_version_5_is_told_where_it_differs() {
    let mut connect = hello(V5);
    connect.keep_alive_s = 0;
    connect.client_id = false;
    connect.properties.session_expiry_s = Some(u32::MAX);
    let all = granted(&mut greet(connect.clone(), device(None)));
    assert_eq!(all.session_expiry_s, Some(3600), "capped, also where it is for ever");
    assert_eq!(all.server_keep_alive_s, Some(900));
    assert_eq!(all.assigned_client_id.as_deref(), Some("client-1"));
    assert_eq!((all.receive_maximum, all.topic_alias_max), (4, 16));

    connect = hello(V5);
    connect.properties.session_expiry_s = Some(60);
    let as_asked = granted(&mut greet(connect.clone(), device(None)));
    assert_eq!((as_asked.session_expiry_s, as_asked.server_keep_alive_s), (None, None));
    assert_eq!(as_asked.assigned_client_id, None);
    let integrator = Access::Integrator {
        filters: vec!["d/+/t".into()],
    };
    let never_kept = granted(&mut greet(connect, integrator));
    assert_eq!(never_kept.session_expiry_s, Some(0));
}

#[test]
fn keepalive_is_one_and_a_half_times_and_none_is_capped() {
    for (version, keep_alive_s, silence) in [
        (V4, 60, Duration::from_secs(90)),
        (V4, 0, Duration::from_mins(15)),
        (V4, 3_600, Duration::from_mins(90)),
        (V5, 60, Duration::from_secs(90)),
        (V5, 0, Duration::from_secs(900 * 3 / 2)),
        (V5, 3_600, Duration::from_secs(900 * 3 / 2)),
    ] {
        let mut session = open(
            Connect {
                keep_alive_s,
                ..hello(version)
            },
            device(None),
        );
        let heard = start() + Duration::from_secs(8);
        session.handle_packet(Incoming::PingReq, heard);
        assert_eq!(
            session.poll_timeout(),
            Some(heard + silence),
            "{version:?} {keep_alive_s}"
        );
        session.handle_timeout(heard + silence);
        assert_eq!(closed(&mut session), Some(CloseReason::KeepAlive));
    }
}

#[test]
fn a_silent_connection_is_cut() {
    let t0 = start();
    let mut silent = Session::new(LIMITS, None, 1, t0);
    silent.handle_timeout(t0 + Duration::from_millis(9_999));
    assert!(!silent.is_closed());
    silent.handle_timeout(t0 + Duration::from_secs(10));
    assert_eq!(closed(&mut silent), Some(CloseReason::SilentConnect));
}

#[test]
fn a_will_is_the_device_s_own() {
    for (topic, label, reason) in [
        ("d/dryer/s", "will", Reason::NotAuthorised),
        ("d/washer/c/1", "will", Reason::NotAuthorised),
        ("#", "will", Reason::TopicInvalid),
        ("d/washer/f/1", "firmware", Reason::NotAuthorised),
    ] {
        let connect = Connect {
            will: Some(will(topic, 0)),
            ..hello(V5)
        };
        let mut session = greet(connect, device(None));
        assert_eq!(transmitted(&mut session), [Outgoing::refusal(reason)], "{topic}");
        assert_eq!(closed(&mut session).map(|r| r.label()), Some(label));
    }
    for access in [
        Access::Integrator {
            filters: vec!["#".into()],
        },
        Access::Claimant,
    ] {
        let connect = Connect {
            will: Some(will("d/washer/s", 0)),
            ..hello(V4)
        };
        let mut session = greet(connect, access);
        assert_eq!(transmitted(&mut session), [Outgoing::refusal(Reason::NotAuthorised)]);
    }
}

/// mosquitto's bridge sets it unless its settings say no; nobody could read it.
#[test]
fn the_will_of_a_bridge_about_itself_is_of_no_effect() {
    for version in [V4, V5] {
        for access in [
            device(None),
            Access::Integrator {
                filters: vec!["#".into()],
            },
        ] {
            let connect = Connect {
                will: Some(will("$SYS/broker/connection/house.hub/state", 0)),
                ..hello(version)
            };
            let mut session = open(connect, access);
            session.handle_close(CloseReason::Lost);
            let told = events(&mut session);
            assert!(
                !told.iter().any(|event| matches!(event, Event::Will { .. })),
                "{told:?}"
            );
        }
    }
    for topic in [
        "$SYS/broker/connection/x",
        "$SYS/broker/load/state",
        "$SYS/broker/connection/#/state",
    ] {
        let connect = Connect {
            will: Some(will(topic, 0)),
            ..hello(V5)
        };
        let mut session = greet(connect, device(None));
        assert_eq!(
            transmitted(&mut session),
            [Outgoing::refusal(Reason::TopicInvalid)],
            "{topic}"
        );
    }
}

/// MQTT 5 §3.1.2.5: on any end but a normal DISCONNECT, after the delay, but not beyond the session's own end.
#[test]
fn a_will_speaks_when_the_device_vanishes() {
    let vanished = |expiry_s: u32, end: fn(&mut Session)| {
        let mut connect = Connect {
            will: Some(will("d/washer/s", 30)),
            ..hello(V5)
        };
        connect.properties.session_expiry_s = Some(expiry_s);
        let mut session = open(connect, device(None));
        end(&mut session);
        events(&mut session).into_iter().find_map(|event| match event {
            Event::Will { received, delay_s } => {
                assert_eq!((received.kind, received.number), (Kind::State, None));
                Some(delay_s)
            }
            _ => None,
        })
    };
    let lost: fn(&mut Session) = |s| s.handle_close(CloseReason::Lost);
    assert_eq!(vanished(0, lost), Some(0));
    assert_eq!(vanished(10, lost), Some(10));
    assert_eq!(vanished(600, lost), Some(30));
    for (reason, fires) in [(0x00, false), (0x04, true), (0x80, true)] {
        let connect = Connect {
            will: Some(will("d/washer/s", 0)),
            ..hello(V5)
        };
        let mut session = open(connect, device(None));
        let session_expiry_s = None;
        session.handle_packet(
            Incoming::Disconnect {
                reason,
                session_expiry_s,
            },
            start(),
        );
        let fired = events(&mut session)
            .iter()
            .any(|event| matches!(event, Event::Will { .. }));
        assert_eq!(fired, fires, "{reason:#x}");
    }
}

#[test]
fn quotas_are_told() {
    for (version, code) in [(V4, 0x03), (V5, 0x97)] {
        let mut session = new();
        session.handle_packet(Incoming::Connect(Box::new(hello(version))), start());
        session.handle_verdict(Verdict::Quota("connections of the tenant"), start());
        let [Outgoing::ConnAck { reason, .. }] = transmitted(&mut session)[..] else {
            panic!()
        };
        assert_eq!(
            if version == V4 {
                reason.connack_v4()
            } else {
                reason.code()
            },
            code
        );
    }
}
