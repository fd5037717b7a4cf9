//! Clients that nobody here wrote, against the real hub: mosquitto's own, paho-mqtt, MQTT.js and ThingsBoard's.

mod bridge;
mod front;
mod integrators;
mod publishing;
mod sessions;
mod thingsboard;
