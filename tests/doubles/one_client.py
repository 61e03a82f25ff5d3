"""Tests of the command that run with one client only, each with its reason.

All others of tests/e2e and tests/crash run with both: those of `SECOND_IN_RELEASE` in the release
lane only. Read by `at_work` and by the test that holds the list complete; never a way to leave out
what one client fails.
Law: whoever stands here sends no request of the data plane, or is about something else.
"""

from typing import Final

_NO_REQUEST: Final = "refused, or answered, before any request"
_OWN_FILES: Final = "reads files of this machine only"
_CONTROL: Final = "asks the control plane only, which the SDK asks whatever client is named"
_PROCESSES: Final = (
    "about deaths and signals of processes, each over 2,000 objects: 40 s through the SDK;"
    " test_two_processes_copy_a_shard_each_and_nothing_twice shows both clients in a copy process"
)
_REFUSED: Final = (
    "is about what is refused before the data plane; test_main_job copies through both clients"
)
_BY_HAND: Final = (
    "is about what is edited behind S3's back; test_full_history carries histories through both"
)
_HEADS: Final = (
    "sends HeadObject of the data plane and nothing else;"
    " test_from_a_broken_policy_to_all_versions_at_the_destination does through both clients"
)

_KEPT_THERE: Final = (
    "about where a run keeps what it knows, which the SDK reaches whatever client is named;"
    " test_main_job copies through both clients"
)

_DISKS: Final = "is about disks of this machine, and where a run keeps what it knows"
_PROBES: Final = (
    "is about a process and what it says of itself, whoever sends its copies;"
    " test_a_campaign_comes_wholly_by_environment_file_or_stdin does through both clients"
)

ONE_CLIENT: Final = {
    "test_off_a_terminal::test_an_empty_stdin_is_no_campaign": _NO_REQUEST,
    "test_off_a_terminal::test_every_documented_exit_code_is_brought_about_by_a_test": _NO_REQUEST,
    "test_off_a_terminal::test_a_probe_is_cheap": _OWN_FILES,
    **dict.fromkeys(
        (
            "test_off_a_terminal::test_a_line_of_progress_comes_with_every_interval_though_nothing_ends",
            "test_off_a_terminal::test_probes_say_yes_while_a_run_works_and_no_when_it_drains_or_is_over",
            "test_off_a_terminal::test_a_killed_run_is_not_live",
            "test_off_a_terminal::test_a_probe_on_another_machine_asks_the_lease",
        ),
        _PROBES,
    ),
    "test_run_directory_on_s3": _KEPT_THERE,
    "test_lost_disks": _KEPT_THERE,
    "test_disk_faults": _DISKS,
    "test_exit_codes::test_2_a_flag_that_does_not_exist": _NO_REQUEST,
    "test_exit_codes::test_2_a_campaign_that_says_something_impossible": _NO_REQUEST,
    "test_exit_codes::test_12_a_profile_that_nobody_configured": _NO_REQUEST,
    "test_exit_codes::test_help_and_version_need_nothing": _NO_REQUEST,
    "test_demo::test_a_directory_that_is_no_demos_is_left_alone": _NO_REQUEST,
    "test_verbs::test_a_verb_in_an_empty_place_says_what_begins_a_run": _NO_REQUEST,
    "test_history_damage": _BY_HAND,
    "test_setup": _CONTROL,
    "test_setup_identities": _CONTROL,
    "test_setup_specs": _CONTROL,
    "test_preflight_misconfigurations": _CONTROL,
    "test_preflight_sound": _CONTROL,
    "test_preflight_copies::test_one_account_needs_no_policy_for_copies": _CONTROL,
    "test_preflight_copies::"
    "test_a_run_by_copies_is_refused_before_it_begins_and_works_once_mended": _REFUSED,
    "test_watch::test_what_cannot_be_watched_is_refused": _CONTROL,
    "test_watch::test_a_bucket_without_replication_is_refused": _CONTROL,
    "test_watch::test_a_rule_without_metrics_says_how_to_switch_them_on": _HEADS,
    "test_watch::test_what_others_sent_to_the_queue_stays_there": _HEADS,
    "test_watch::test_a_manifest_can_be_written_elsewhere": _HEADS,
    "test_watch::test_a_signal_ends_the_watch_with_a_summary": _HEADS,
    "test_watch::test_a_watch_that_is_killed_goes_on_where_it_was": _HEADS,
    "test_watch::test_a_person_reads_cause_and_mend": _HEADS,
    "test_watch::test_a_queue_behind_a_topic_is_read_when_it_is_named": _HEADS,
    "test_watch::test_events_that_come_twice_and_in_any_order_are_one_failure_each": _HEADS,
    "test_processes::"
    "test_a_copy_process_that_is_killed_ends_the_run_and_the_same_command_goes_on": _PROCESSES,
    "test_processes::"
    "test_when_the_holder_is_killed_its_copy_process_ends_and_the_same_command_goes_on": _PROCESSES,
    "test_processes::"
    "test_kills_of_either_process_and_the_same_command_come_to_what_one_run_comes_to": _PROCESSES,
    "test_processes::test_a_signal_drains_all_processes_and_the_same_command_goes_on": _PROCESSES,
    "test_restores::test_two_processes_share_the_budget_and_each_restores_its_own": _PROCESSES,
    "test_manifests::test_somebodys_manifest_is_read_or_refused_with_its_row": _OWN_FILES,
    "test_both_clients::test_each_test_of_the_command_runs_with_both_clients_or_says_why_not": (
        "starts no command"
    ),
    "test_manifests::test_a_file_that_is_not_there_is_named": _OWN_FILES,
}
"""Reasons, by module, or module and test."""

_WORDS: Final = "about words, questions and places; copies come and go by the way"
_SIGNALS: Final = "about signals and drains; test_kills kills copies through both clients"
_LOOKS: Final = "about what verify says; test_fidelity looks at every field through both clients"
_RESTORES: Final = "about budgets and waiting; test_fidelity restores through both clients"
_JOBS: Final = "about jobs of S3, which the SDK asks for whatever client is named"

SECOND_IN_RELEASE: Final = {
    "test_verbs": _WORDS,
    "test_terminal": _WORDS,
    "test_consent_and_places": _WORDS,
    "test_setting_up_guide": _WORDS,
    "test_demo": _WORDS,
    "test_watch": _WORDS,
    "test_exit_codes": _WORDS,
    "test_interruptions": _SIGNALS,
    "test_damage": _LOOKS,
    "test_restores": _RESTORES,
    "test_preflight": _CONTROL,
    "test_checksum_jobs": _JOBS,
    "test_batch_refusals": _JOBS,
    "test_batch_dry_run": _JOBS,
    "test_batch_replication": _JOBS,
    "test_jobs": _JOBS,
    "test_jobs_go_wrong": _JOBS,
}
"""Modules that CI runs with the lean client alone, so that it stays within its time."""
