//! The list.

use super::{Capability, Case};

/// Hands the list of cases to a macro: `group { module::name [what it needs], … } …`.
#[macro_export]
macro_rules! for_each_case {
    ($($then:ident)::+) => {
        $($then)::+! {
            telemetry {
                telemetry::a_repeat_is_stored_once_however_it_comes [],
                telemetry::what_is_older_than_the_bitmap_is_looked_up [],
                telemetry::json_repeats_within_ten_minutes_are_refused [],
                telemetry::json_in_any_order_is_stored_once [Restart],
                telemetry::json_of_a_channel_each_is_read_in_the_order_in_which_it_came [],
                telemetry::json_of_a_device_that_catches_up_is_read_in_the_order_in_which_it_came [],
                telemetry::one_bad_item_holds_nobody_back [],
                telemetry::the_quarantine_of_a_tenant_is_bounded_and_counts_what_gave_way [],
                telemetry::rows_are_read_for_scoring_once_and_in_the_order_of_commits [Concurrent],
                telemetry::commands_wait_for_their_device [],
                telemetry::a_checkpoint_comes_back_until_its_baseline_is_restarted [],
                telemetry::rows_come_with_their_lane [],
                telemetry::no_session_outlives_the_program [],
                telemetry_writer::repeats_are_recognised_after_a_restart [Restart],
                telemetry_writer::a_boot_number_that_comes_again_is_no_new_sequence [Restart],
                telemetry_writer::the_largest_numbers_and_what_follows_them [Restart],
                telemetry_writer::two_writers_at_once_store_each_sample_once [Concurrent],
                telemetry_rollup::rows_are_counted_once_and_gaps_close_when_samples_arrive [],
                telemetry_rollup::rows_that_nobody_watches_are_passed_over [],
                telemetry_rollup::what_one_partition_does_not_use_goes_to_the_others [],
                telemetry_said::the_last_state_is_kept_and_an_empty_one_forgets_it [],
                telemetry_said::attributes_replace_each_other_by_name_and_are_bounded [],
                telemetry_said::the_first_answer_to_a_command_counts [],
                telemetry_said::a_command_that_waits_gives_way_to_none_that_is_done [],
                telemetry_said::a_command_that_has_expired_goes_as_far_as_somebody_vouches_for_the_clock [],
                telemetry_said::nothing_is_answered_for_an_appliance_that_does_not_exist [],
                telemetry_said::a_packet_identifier_is_taken_once_until_it_is_released_also_after_a_restart [Restart],
                telemetry_said::a_payload_leaves_quarantine_with_what_it_holds_and_only_once [],
                telemetry_birth::the_newest_birth_message_is_kept_until_another_state_takes_it_away [],
                telemetry_birth::what_a_device_gave_up_is_added_up_over_its_starts [],
                telemetry_birth::a_command_says_whether_its_device_takes_cbor [],
            }
            lease {
                lease::a_second_hub_stands_by_until_the_first_has_gone [Restart],
            }
            prediction {
                prediction::racing_findings_open_one_ticket_each_time [Concurrent],
                prediction::a_repeat_opens_nothing_and_is_told_only_when_it_matters [],
                prediction::a_fault_that_comes_back_is_the_ticket_that_is_still_open [],
                prediction::naming_never_makes_two_open_tickets_of_one_class [],
                prediction::a_false_alarm_keeps_quiet_and_a_repair_starts_the_baseline_anew [],
                prediction::tenants_stay_apart [],
                prediction::lists_are_read_page_by_page [],
                prediction::a_fault_that_is_left_as_it_is_opens_no_second_ticket_until_it_has_cleared [],
                prediction::a_false_alarm_that_is_still_seen_gets_its_ticket_when_the_cool_down_ends [],
                prediction::a_held_ticket_is_lifted_by_the_gate_and_by_the_faults_return [],
                prediction::a_fault_that_comes_back_while_the_clock_goes_back_is_stored [],
                prediction::a_restarted_baseline_clears_every_open_finding_of_the_appliance [],
                scoring::what_is_in_no_checkpoint_is_read_again_after_a_restart [Restart],
                scoring::a_model_keeps_its_own_checkpoint_and_a_new_baseline_none [],
                scoring::what_detectors_have_saved_is_shown_with_its_time_until_the_baseline_is_restarted [],
                scoring::what_is_told_of_an_appliance_is_shown_until_something_else_is [Restart],
                baseline::another_firmware_restarts_the_baseline_and_says_why [Restart],
                baseline::firmware_is_told_by_the_agent_or_else_by_an_attribute [],
                baseline::firmware_waits_until_what_was_found_is_closed [],
                baseline::each_restart_has_its_reason_and_the_newest_are_kept [],
                floors::floors_are_kept_by_fleet_and_tenants_stay_apart [Restart],
                floors::floors_are_learned_from_appliances_that_are_watched_and_sound [],
                shadow::what_a_challenger_says_is_kept_and_opens_nothing [Restart],
                shadow::a_challenger_that_fails_is_dropped_with_the_reason_until_it_begins_again [],
            }
            ticket {
                ticket_correction::a_false_label_is_taken_back_with_what_was_learned_from_it [],
                ticket_correction::a_repair_that_was_none_leaves_its_fault_open [],
                ticket::a_person_opens_a_ticket_that_no_finding_speaks_of [],
                ticket::labels_are_declared_set_and_asked_for [],
                ticket::notes_and_promises_are_kept_with_the_ticket [],
            }
            contact {
                contact::key_1_books_the_slot_that_was_offered [],
                contact::nobody_is_rung_against_a_rule [],
                contact::two_tickets_of_one_owner_never_ring_at_once_nor_too_often [Concurrent],
                contact::key_9_stands_through_a_crash_and_a_crashed_call_is_not_repeated [Restart],
                contact::an_owner_who_rings_back_reaches_their_open_ticket [],
                contact::without_a_slot_key_1_asks_for_a_person [],
                caller::what_a_call_promises_is_listed_until_a_person_says_otherwise [],
                caller::a_call_takes_no_promise_of_a_person_away [Restart],
                caller::an_owner_without_a_ticket_gets_one_by_ringing [],
                caller::a_stranger_names_an_appliance_by_keys [],
                caller::a_promise_of_a_person_swallows_none_of_a_call [],
                caller::a_ticket_waits_for_the_trunk_of_its_tenant [],
                contact_later::a_no_is_remembered_past_a_call_that_a_person_asked_for [],
                contact_later::an_unknown_call_is_remembered_until_the_owner_has_answered_one [],
                contact_later::a_call_without_audio_is_placed_again_after_the_gap [],
                contact_later::calls_that_rang_nobody_use_up_no_place [],
                contact_later::an_inbound_call_that_ends_plans_no_outbound_one [],
                contact_later::the_last_place_of_a_slot_is_given_once [Concurrent],
                contact_later::a_site_file_can_be_applied_while_calls_begin_and_end [Concurrent],
            }
            release {
                release::nobody_is_rung_by_a_simulators_word_until_a_person_approves [],
                release::what_a_person_refused_stays_unrung [],
                release::an_approval_in_the_night_rings_in_the_morning [],
                release::verdicts_of_closed_tickets_release_and_a_correction_takes_that_back [],
                release::what_is_ready_to_ring_is_listed_by_tenant_and_in_pages [],
            }
            appointment {
                appointment::a_visit_is_moved_called_off_and_agreed_again [],
                appointment::a_visit_ends_with_its_technician_or_with_its_ticket [],
                appointment::key_1_in_a_later_call_moves_the_visit [],
            }
            household {
                household::the_first_person_who_agrees_is_rung [],
                household::a_caller_is_known_by_any_number_of_any_person [],
                household::key_9_lists_every_number_of_the_person_and_no_other [],
                household::a_number_is_one_however_it_is_written [],
                household::a_household_is_rung_no_more_often_than_one_person [],
                household::a_number_of_two_households_is_rung_no_more_often_than_one [],
                household::a_household_in_the_site_file_changes_what_it_names [],
                household::an_owner_is_a_household_of_one [],
            }
            device {
                device::a_command_is_followed_from_the_queue_to_the_answer [],
                device::attributes_are_merged_bounded_and_announced [],
                device::what_the_profile_does_not_know_is_named [],
                device::nothing_is_said_of_another_tenants_device [],
            }
            budget {
                budget::the_highest_score_of_a_month_only_grows_and_old_months_go_in_steps [],
                budget::a_ledger_is_kept_whole_and_changed_by_one_at_a_time [],
                budget_families::families_are_those_of_the_tenants_own_scores_and_appliances [],
                budget_families::budgets_are_stated_of_so_many_families_and_no_more [],
                budget::a_level_holds_a_ticket_back_until_the_score_reaches_it [],
                budget::a_level_that_comes_down_gives_a_finding_its_ticket [],
                budget::family_generic_has_a_first_level_where_its_fleet_has_none [],
                surge::calls_that_a_surge_has_stopped_go_on_when_a_person_says_so [],
                surge::calls_go_on_when_a_surge_is_over_by_itself [],
                budget::what_people_found_is_told_as_it_stands_after_corrections [],
                budget::a_site_file_states_budgets_and_says_nothing_twice [],
            }
            quarantine {
                quarantine::quarantine_is_searched_within_the_scope [],
                quarantine::a_payload_leaves_quarantine_once_with_what_it_holds [],
                quarantine::what_could_not_be_taken_is_stored_with_the_rest_and_once [],
            }
            site {
                site::applying_twice_changes_nothing_and_a_dry_run_keeps_nothing [],
                site::a_dry_run_of_the_first_site_tells_all_that_applying_it_adds [],
                site::appliances_are_seen_by_their_own_tenant [],
                site::accounts_sessions_and_repeated_requests [],
                site::the_event_cursor_misses_nothing_under_concurrent_writers [Concurrent],
                site::a_new_secret_changes_nothing_else [],
                site::a_new_secret_never_changes_the_profile [],
                site::the_order_of_the_ledger_decides_not_the_clock [],
                site::applying_the_file_again_does_not_undo_a_rotation [],
            }
            reading {
                reading::a_window_keeps_the_extremes_at_their_own_times [],
                reading::late_readings_take_their_place_by_time [],
            }
            retention {
                retention::nothing_goes_that_is_not_too_old_by_a_witness [],
                retention::a_persons_word_counts_for_a_day_and_the_last_sweeps_are_remembered [],
                retention::what_was_vouched_for_stands_until_somebody_vouches_again [Restart],
                retention::a_stamp_that_devices_do_not_bear_out_is_no_witness [Restart],
            }
            session {
                session::a_session_outlives_its_connection_until_it_expires [],
                session::a_hub_that_was_killed_counts_from_its_next_start [],
                session::a_session_that_began_or_was_taken_up_since_is_not_ended_by_what_presence_said_before [],
                session::sessions_are_changed_together_or_not_at_all [],
                session::commands_of_several_devices_are_told_together [],
                session::a_command_knows_that_it_went_out [],
                session::what_a_device_says_of_itself_is_found_by_tenant_and_name [],
                session::attributes_are_asked_for_by_name [],
            }
            access {
                access::a_batch_of_credentials_is_answered_in_order_and_tenants_stay_apart [],
                access::a_secret_works_beside_its_successor_until_it_is_retired_or_over [],
                access::a_token_that_two_devices_share_is_nobodys [],
                access::a_revoked_device_comes_in_by_nothing_and_may_be_let_in_again [],
                access::an_integrator_reads_until_it_is_revoked [],
                access::an_unknown_tenant_is_refused_and_not_made [],
                access_change::a_change_is_told_until_whoever_heard_it_asks_again [],
                access_group::a_group_secret_lets_in_across_a_rotation_and_not_after_it [],
                access_group::groups_of_one_name_and_devices_of_one_name_belong_to_their_tenants [],
                access_group::who_has_a_secret_of_its_own_is_not_taken_over_by_a_group [],
                access_group::a_group_that_does_not_enrol_lets_in_only_who_was_put_into_it [],
                access_group::an_unknown_device_is_made_once_however_many_ask [Concurrent],
                access_group::a_device_that_was_only_declared_joins_the_group_at_its_first_login [],
                access_group::keys_are_bounded [],
            }
            claim {
                access_claim::who_knows_the_code_becomes_the_owner_with_what_they_allow [],
                access_claim::five_wrong_codes_close_a_claim [],
                access_claim::a_printed_code_and_the_devices_own_stand_beside_each_other_and_end [],
                access_claim::a_claim_does_not_undo_what_somebody_withdrew [],
                access_claim::what_a_site_file_took_back_can_be_given_by_a_claim [],
                access_claim::a_tenant_has_the_number_plan_of_its_trunk [],
                access_claim::a_claim_is_made_within_ones_tenant_and_with_a_name_and_a_zone [],
                access_provision::a_device_gets_a_secret_once_unless_it_may_be_replaced [],
                access_provision::a_claim_credential_ends_by_use_by_time_and_by_revocation [],
                access_provision::the_last_use_serves_one_device [Concurrent],
                access_own::an_answer_that_was_lost_is_given_again_and_costs_nothing [],
                access_own::a_secret_that_a_device_makes_has_to_look_random [],
                access_own::a_device_exchanges_its_secret_and_ends_the_old_one [],
                access_own::a_secret_of_its_own_takes_a_device_out_of_its_group [],
                access_own::a_device_that_may_not_exchange_its_secret_is_refused [],
            }
            tenants {
                tenants::every_method_that_takes_an_actor_hides_the_other_tenant [],
                roles::each_method_answers_each_role_by_tenant_and_site [],
                roles::a_ticket_is_read_without_its_calls_by_some_roles [],
                roles::the_last_administrator_stays_and_an_account_ends_with_its_sessions [],
                tenants::names_of_one_tenant_lead_to_nothing_of_another [],
            }
            stream {
                stream::the_same_stream_gives_the_same_tickets [],
            }
        }
    };
}

macro_rules! list {
    ($($group:ident { $($module:ident::$name:ident [$($need:ident)?],)* })*) => {
        /// Every case. A static: its cases are compiled with it, not with each program that runs them.
        pub static ALL: &[Case] = &[$($(
            Case {
                group: stringify!($group),
                name: stringify!($name),
                needs: &[$(Capability::$need)?],
                run: |h| Box::pin(super::$module::$name(h)),
            },
        )*)*];
    };
}

for_each_case!(list);
