# Thin on purpose: the logic is in xtask/. Each target is one command a person types.
XTASK := cargo run --quiet --package xtask --
# What measures and scores is built in release, and as part of the workspace: for one package alone every crate would be
# compiled again.
EXAMPLES := $${CARGO_TARGET_DIR:-target}/release/examples

.DEFAULT_GOAL := help
.PHONY: help demo demo-firmware test test-voice test-firmware check bench bench-agents bench-apply bench-broker bench-calls bench-desk bench-idle bench-predict bench-steady bench-store attack soak-kill fuzz fuzz-http eval eval-long real-input fmt deny setup

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-13s %s\n", $$1, $$2 }'

demo: ## Install what the demo lacks, then watch a phone ring
	@$(XTASK) setup demo
	@cargo run --package hub-server --bin forecall -- demo

demo-firmware: ## The same, with the device agent in C in the first home's washing machine: firmware on a board that QEMU plays
	@$(XTASK) demo-firmware

test: ## Install what tests lack, build, run every test, check the house rules
	@$(XTASK) test

test-voice: ## The telephone side alone, against SIPp, kamailio, pjsip and peers of our own: about four minutes
	@$(XTASK) test-voice

test-firmware: ## The device agent for boards: it cannot panic, is as small as its bars say, and in QEMU a hub's kill costs it no reading
	@$(XTASK) test-firmware

check: ## Fast: format, lints, unit tests, house rules
	@$(XTASK) check

bench: ## Every benchmark of the workspace (examples named bench_*)
	@$(XTASK) bench

bench-agents: ## 10,000 device agents back after a restart, beside mosquitto: 0 lost, as fast as the back-off lets them, never too many at once
	@$(XTASK) bench bench_agents

bench-apply: ## A site of 100,000 devices: time, memory, and what a hub beside it waits
	@$(XTASK) bench bench_apply

bench-broker: ## The hub beside mosquitto and rumqttd: messages a second, 0 lost, 0 double
	@$(XTASK) bench bench_broker

bench-calls: ## 100 calls at once beside SIPp's echo, then 3,000 one after the other: processor, gaps, loss, memory
	@$(XTASK) bench bench_calls

bench-desk: ## 100,000 observations to findings and tickets, beside the bare rows
	@$(XTASK) bench bench_desk

bench-idle: ## Memory of an idle device, how soon all are back after a restart, how many come and go a second
	@$(XTASK) bench bench_idle

bench-predict: ## Rows a second of score beside one window a run, the network beside onnxruntime, a quarter of an hour of a million appliances
	@$(XTASK) bench bench_predict

bench-store: ## The store beside psql's \copy and the same queries in psql: load, bytes, latency, growth
	@$(XTASK) bench bench_store

bench-steady: ## Load that lasts, beside a bare COPY: 35 minutes, or PART=trickle|paced|flood|ring|restart
	@cargo build --quiet --release --workspace --bin forecall --example steady
	@$(EXAMPLES)/steady $(PART)

attack: ## Strangers at the doors for some minutes: HTTP connections that give nothing, floods of SIP; what the honest wait
	@cargo build --quiet --release --workspace --bin forecall --example attack
	@$(EXAMPLES)/attack

soak-kill: ## 100 rounds of kill -9 of hub and database under 200 publishers
	@cargo build --quiet --release --workspace --bin forecall --example soak_kill
	@$(EXAMPLES)/soak_kill

fuzz: ## Packet decoding, the session core, batches of readings, the device agent and its flash, a world of cuts and crashes, addresses in SIP: 5 minutes each
	@FORECALL_FUZZ_SECONDS=300 cargo test --package hub-broker --lib --test session --test world -- fuzz_ --nocapture
	@FORECALL_FUZZ_CASES=6000000 cargo test --package agent-sdk-wire --test contract -- fuzz_ --nocapture
	@FORECALL_FUZZ_CASES=15000000 cargo test --package agent-sdk-core --test session --test agent -- fuzz_ --nocapture
	@FORECALL_FUZZ_CASES=1200000 cargo test --package agent-sdk-storage --test flash -- fuzz_ --nocapture
	@FORECALL_FUZZ_SECONDS=300 cargo test --package hub-voice --lib -- fuzz_ --nocapture

fuzz-http: ## Some 1,000 requests made up for each operation of the API, against its document
	@cargo build --quiet --workspace --bin forecall
	@FORECALL_HTTP_EXAMPLES=1000 cargo test --package tests-hub --test hub -- schemathesis --nocapture

eval: ## Score the models on recorded and simulated appliances, then write the page of results
	@$(XTASK) eval

eval-long: ## Washing machines on so many months that one false call in 20,000 would be seen: long, and not while tuning
	@$(XTASK) eval --long

real-input: ## Replay recorded pump-rig faults through the whole hub over a SIPp trunk (needs ../shared/data)
	@cargo build --release --workspace --bin forecall --example real_input
	@$(EXAMPLES)/real_input

fmt: ## Format all code
	@cargo fmt --all

deny: ## Licences and advisories of all dependencies (needs cargo-deny)
	@cargo deny check

setup: ## Install what tests and demo need, and nothing else
	@$(XTASK) setup test
