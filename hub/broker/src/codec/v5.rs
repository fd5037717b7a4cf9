//! What only MQTT 5.0 has.

use super::properties;
use super::scan::Scan;
use super::v4::{check_flags, check_login};
use crate::session::packet::{ConnectProperties, Granted};
use crate::session::{CloseReason, Connect, Incoming, Reason};
use rumqttd::protocol::{self, ConnAckProperties, ConnectReturnCode, LastWillProperties, Packet};

pub(super) use rumqttd::protocol::v5::V5;

/// Bytes of a CONNECT up to its properties.
const HEADER: usize = 10;

/// Checks a CONNECT: flags, both blocks of properties, and that all of it is read. Gives the properties of the will that go
/// on with it.
pub(super) fn check_connect(body: &[u8]) -> Result<Vec<u8>, CloseReason> {
    let mut scan = Scan::new(body);
    let flags = scan.take(HEADER)?.get(7).copied().unwrap_or_default();
    check_flags(flags)?;
    properties::read(&mut scan, properties::CONNECT)?;
    scan.text()?;
    let mut will = Vec::new();
    if flags & 0b0000_0100 != 0 {
        will = properties::read(&mut scan, properties::WILL)?.passed_on;
        scan.text()?;
        scan.binary()?;
    }
    check_login(flags, scan).map(|()| will)
}

pub(super) fn with_properties(
    mut connect: Box<Connect>,
    properties: Option<protocol::ConnectProperties>,
    will: Option<LastWillProperties>,
) -> Incoming {
    if let Some(properties) = properties {
        let default = ConnectProperties::default();
        connect.properties = ConnectProperties {
            session_expiry_s: properties.session_expiry_interval,
            receive_maximum: properties.receive_maximum.unwrap_or(default.receive_maximum),
            packet_bytes_max: properties.max_packet_size.unwrap_or(default.packet_bytes_max),
            problem_information: properties.request_problem_info != Some(0),
            authentication: properties.authentication_method.is_some(),
        };
    }
    if let (Some(will), Some(properties)) = (&mut connect.will, will) {
        will.delay_s = properties.delay_interval.unwrap_or(0);
    }
    Incoming::Connect(connect)
}

pub(super) fn connack(present: bool, reason: Reason, granted: Option<Box<Granted>>) -> Packet {
    let connack = protocol::ConnAck {
        session_present: present,
        code: code(reason),
    };
    let properties = granted.map(|granted| ConnAckProperties {
        session_expiry_interval: granted.session_expiry_s,
        receive_max: Some(granted.receive_maximum),
        max_packet_size: Some(granted.packet_bytes_max),
        topic_alias_max: Some(granted.topic_alias_max),
        server_keep_alive: granted.server_keep_alive_s,
        assigned_client_identifier: granted.assigned_client_id,
        retain_available: Some(1),
        wildcard_subscription_available: Some(1),
        subscription_identifiers_available: Some(0),
        shared_subscription_available: Some(0),
        ..Default::default()
    });
    Packet::ConnAck(connack, properties)
}

/// rumqttd panics on what has no code in MQTT 5; none of these is such.
fn code(reason: Reason) -> ConnectReturnCode {
    match reason {
        Reason::Success => ConnectReturnCode::Success,
        Reason::MalformedPacket => ConnectReturnCode::MalformedPacket,
        Reason::ProtocolError => ConnectReturnCode::ProtocolError,
        Reason::ImplementationSpecific => ConnectReturnCode::ImplementationSpecificError,
        Reason::UnsupportedVersion => ConnectReturnCode::UnsupportedProtocolVersion,
        Reason::ClientId => ConnectReturnCode::ClientIdentifierNotValid,
        Reason::BadLogin => ConnectReturnCode::BadUserNamePassword,
        Reason::NotAuthorised => ConnectReturnCode::NotAuthorized,
        Reason::Unavailable => ConnectReturnCode::ServerUnavailable,
        Reason::Busy | Reason::ShuttingDown => ConnectReturnCode::ServerBusy,
        Reason::Administrative => ConnectReturnCode::Banned,
        Reason::BadAuthentication => ConnectReturnCode::BadAuthenticationMethod,
        Reason::TopicInvalid => ConnectReturnCode::TopicNameInvalid,
        Reason::PacketTooLarge => ConnectReturnCode::PacketTooLarge,
        Reason::Quota => ConnectReturnCode::QuotaExceeded,
        Reason::PayloadFormat => ConnectReturnCode::PayloadFormatInvalid,
        Reason::ConnectionRate | Reason::RateTooHigh => ConnectReturnCode::ConnectionRateExceeded,
        _ => ConnectReturnCode::UnspecifiedError,
    }
}
