//! Clients that nobody here wrote, against the real hub: mosquitto's own, paho-mqtt, MQTT.js and
//! ThingsBoard's, and schemathesis at the API.

mod bridge;
mod front;
mod integrators;
mod publishing;
mod schemathesis;
mod sessions;
mod thingsboard;
