"""Mutants: the bugs that controllers of this kind are known for, each put into our code by hand.

In: nothing. Out: a table, read by `check.py`: the rule that the mutant breaks, where it goes, what catches it. Each
`old` must occur exactly once in its file: a mutant that no longer fits is an error, not a kill, and is written anew.
`test` is the quickest test that fails with it, `history` a simulated history that breaks a promise with it (`SCENARIO`
or `SCENARIO:PLAN`); where none is known, another rule makes up for the broken one before anything shows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One bug."""

    name: str
    breaks: str
    file: str
    old: str
    new: str
    test: str = ""
    history: str = ""


MUTANTS = (
    # Completion memory: a finished step never runs twice.
    Mutant(
        "re-create on NotFound",
        "A committed result stands for ever, whatever becomes of its child.",
        "jobflow/reconcile/observe.py",
        "    if record is not None and record.phase.settled:\n        return Standing(",
        "    if record is not None and record.phase.settled and child is not None:\n        return Standing(",
        test="tests/reconcile/test_flow.py::TestAFlowTakenOverFromUpstream::test_goes_on_where_it_was",
        history="ttl",
    ),
    Mutant(
        "forget completion memory",
        "What flowStatuses has committed is remembered.",
        "jobflow/reconcile/observe.py",
        "    for ours in flow.committed.flowStatuses:\n",
        "    for ours in ():\n",
        test="tests/reconcile/test_flow.py::test_what_is_written_is_written_once",
        history="chain",
    ),
    Mutant(
        "forget upstream's memory",
        "Results that upstream's jobStatusList has committed are remembered.",
        "jobflow/reconcile/observe.py",
        "    records = _upstream_records(flow, steps)\n",
        "    records: dict[str, FlowStatus] = {}\n",
        test="tests/reconcile/test_flow.py::TestAFlowTakenOverFromUpstream::test_goes_on_where_it_was",
    ),
    Mutant(
        "vanished children forgotten",
        "A child that is deleted is kept in its last state until its end is committed.",
        "jobflow/cache/children.py",
        "                self._vanished.setdefault(old.flow_uid, {})[old.uid] = old\n",
        "",
        test="tests/cache/test_children.py::test_a_vanished_child_is_kept_in_its_last_state",
        history="neighbours:stranger-deletes:there-a:25",
    ),
    Mutant(
        "vanished children ignored",
        "A child that finished and vanished before its result was committed has finished.",
        "jobflow/reconcile/observe.py",
        "    ended = _current(record, [gone for gone in vanished if gone.phase.terminal])\n",
        "    ended = None\n",
        test="tests/reconcile/test_flow.py::TestAChildThatAStrangerDeleted",
        history="neighbours:stranger-deletes:there-a:25",
    ),
    Mutant(
        "vanished children settled too early",
        "A vanished child is kept until the committed record says all that it could.",
        "jobflow/cache/children.py",
        '    if record.jobUID in ("", child.uid) or record.jobUID in vanished:\n        return False\n',
        "",
        test="tests/cache/test_children.py::test_a_vanished_child_is_kept_until_its_end_or_successor_is_committed",
        history="neighbours:stranger-deletes:there-a:25",
    ),
    Mutant(
        "re-create without a look",
        "Before a step gets a second child the API server is asked whether the cache is up to date.",
        "jobflow/reconcile/start.py",
        "            verify=standing.had_child,\n",
        "            verify=False,\n",
        test="tests/reconcile/test_flow.py::TestAChildThatAStrangerDeleted",
        history="chain:stranger-deletes:chain-b:14",
    ),
    Mutant(
        "children listed after flows",
        "A committed status is at least as new as the view of the children.",
        "jobflow/watches.py",
        "            for watch in watches:\n                spawn(",
        "            for watch in reversed(watches):\n                spawn(",
        test="tests/test_start_order.py::test_flows_are_listed_when_all_children_are_known",
    ),
    # Identity: owner UID plus node, never a name or a label alone.
    Mutant(
        "adopt on AlreadyExists",
        "A stranger with the child's name is never adopted.",
        "jobflow/act/children.py",
        "    meta = holder.metadata\n",
        "    return Created(holder.metadata.uid, found=True)\n    meta = holder.metadata\n",
        test="tests/act/test_children.py::test_whose_the_name_is",
        history="chain:foreign-job:chain-b",
    ),
    Mutant(
        "adopt any child of the flow",
        "A child of another step with the name is not this step's child.",
        "jobflow/act/children.py",
        "        if _is_node(meta, flow, wanted):\n",
        "        if True:\n",
        test="tests/act/test_children.py::test_whose_the_name_is",
    ),
    Mutant(
        "key memory by name",
        "What is remembered of a flow goes with its UID, not with its name.",
        "jobflow/snapshots.py",
        "        if memory is None or memory.uid != view.uid:\n",
        "        if memory is None:\n",
        test="tests/test_snapshots.py::test_memory_is_of_one_incarnation_and_goes_with_the_flow",
        history="chain:remake-flow:14",
    ),
    Mutant(
        "label-only identity",
        "A label alone makes no child: its controller owner has to be the flow.",
        "jobflow/kinds/vcjob.py",
        "    owner = meta.controller\n    ours =",
        "    label = meta.labels.get(names.CREATED_BY_JOB_FLOW)\n"
        "    owner = next(iter(meta.ownerReferences), None) or meta.controller\n"
        "    if owner is None and label is not None:\n"
        '        flow = label.removeprefix(f"{meta.namespace}.")\n'
        "        return OwnerReference(JOB_FLOW.api_version, JOB_FLOW.kind, flow, flow, True)\n"
        "    ours =",
        test="tests/kinds/test_vcjob.py::TestWhoseItIs::test_a_label_alone_makes_no_child",
    ),
    Mutant(
        "children of another incarnation count",
        "Only objects whose controller owner is this flow's UID are counted.",
        "jobflow/reconcile/observe.py",
        "        if child.flow_uid != flow.uid:\n            continue\n",
        "",
        test="tests/reconcile/test_observe.py::TestWhoseChildItIs::test_is_no_child_of_the_step",
    ),
    Mutant(
        "delete without UID",
        "Deletes carry a UID precondition.",
        "jobflow/act/children.py",
        "wanted.name, uid=wanted.uid)\n",
        "wanted.name)\n",
        test="tests/act/test_children.py::test_a_deletion_names_the_uid",
        history="delete",
    ),
    # Writes: only on change, never over somebody else's, never acted on before they are seen.
    Mutant(
        "status without compare",
        "A status is written only when it differs from the committed one.",
        "jobflow/reconcile/flow.py",
        "    write = _is_worth_a_write(snapshot, desired)\n",
        "    write = changed = True\n",
        test="tests/reconcile/test_flow.py::test_what_is_written_is_written_once",
        history="failing",
    ),
    Mutant(
        "status without resourceVersion",
        "A status write carries the version of the flow that it was made from.",
        "jobflow/act/flow.py",
        "        identity = ObjectMeta(flow.name, flow.namespace, flow.uid, flow.resource_version)\n",
        "        identity = ObjectMeta(flow.name, flow.namespace, flow.uid)\n",
        test="tests/act/test_flow.py::test_a_status_is_written_at_the_version_that_was_seen_then_told_and_expected",
        history="chain",
    ),
    Mutant(
        "mutate a cached object",
        "Cached objects are immutable: a changed one would compare equal to what is desired.",
        "jobflow/reconcile/status.py",
        "    conditions: dict[str, JobCondition] = {}\n",
        "    conditions: dict[str, JobCondition] = old_conditions\n",
        test="tests/reconcile/test_flow.py::test_pod_counts_wait_and_ends_do_not",
        history="chain",
    ),
    Mutant(
        "no expectation after a create",
        "After a create the flow is not reconciled until the cache has seen the child.",
        "jobflow/act/flow.py",
        "                self.expectations.created(flow.uid, uid, self.clock.monotonic())\n",
        "",
        test="tests/act/test_flow.py::test_children_are_created_and_expected_and_the_status_waits_for_them",
        history="chain:delay:Job:1:10 touch-flow:7",
    ),
    Mutant(
        "no expectation after a delete",
        "After a delete the flow is not reconciled until the cache has seen it.",
        "jobflow/act/flow.py",
        "        deleted = await delete_child(self.client, flow, wanted)\n"
        "        self.expectations.deleted(flow.uid, wanted.uid, self.clock.monotonic())\n",
        "        deleted = await delete_child(self.client, flow, wanted)\n",
        test="tests/act/test_flow.py::test_a_deletion_is_expected",
        history="ttl:delay:Job:14:10 touch-flow:31",
    ),
    Mutant(
        "no expectation after a status write",
        "After a status write the flow is not reconciled until the cache has that version.",
        "jobflow/act/flow.py",
        "        self.expectations.wrote_status(flow.uid, written.resource_version, self.clock.monotonic())\n",
        "",
        test="tests/act/test_flow.py::test_a_status_is_written_at_the_version_that_was_seen_then_told_and_expected",
        history="chain:delay:JobFlow:3:10",
    ),
    Mutant(
        "conflict swallowed",
        "A Conflict is not the end of the work: the plan is made anew from what is there then.",
        "jobflow/controller.py",
        '            log.debug("somebody wrote first", error=error.message)\n            return Retry(error)\n',
        '            log.debug("somebody wrote first", error=error.message)\n            return Done()\n',
        test="tests/test_controller.py::test_a_call_that_failed_is_tried_again",
        history="ttl:answer:22:409",
    ),
    Mutant(
        "counts of a finished child overwritten",
        "An entry freezes at the first observation of the child's end: Volcano zeroes its counts afterwards.",
        "jobflow/reconcile/history.py",
        "    if not counts and child.phase.terminal and committed is not None and not _of_another(standing, child):\n"
        "        counts = committed.taskStatusCount\n",
        "",
        test="tests/reconcile/test_history.py::test_counts_of_pods",
        history="chain:delay:Job:5:10",
    ),
    # The work queue: a key is never lost, never in two hands, never spun on.
    Mutant(
        "drop a key after five retries",
        "A key is never dropped.",
        "jobflow/work/queue.py",
        "        self._failures[key] = failures + 1\n",
        "        self._failures[key] = failures + 1\n        if failures >= 5:\n            return 0.0\n",
        test="tests/work/test_queue.py::test_back_off_doubles_up_to_a_minute_with_jitter_and_starts_anew_after_success",
        history="chain:forbid:default",
    ),
    Mutant(
        "retry without back-off",
        "A key that failed waits, longer with each failure.",
        "jobflow/work/queue.py",
        "        seconds = max(back_off * self._jitter.uniform(0.5, 1.0), at_least)\n",
        "        seconds = TICK_SECONDS\n",
        test="tests/work/test_queue.py::test_back_off_doubles_up_to_a_minute_with_jitter_and_starts_anew_after_success",
        history="chain:delay:JobFlow:3:10 touch-flow:7",
    ),
    Mutant(
        "a key in two hands",
        "A key is handed to one worker at a time.",
        "jobflow/work/queue.py",
        "        if key in self._held:\n",
        "        if False:\n",
        test="tests/work/test_queue.py::test_a_held_key_is_not_handed_to_another_worker_and_comes_again_after_done",
        history="chain:touch-flow:9",
    ),
    Mutant(
        "a relist that removes nothing",
        "A list takes out of the cache what is not in it.",
        "jobflow/cache/store.py",
        "        for key in [key for key in self._objects if key not in listed]:\n",
        "        for key in ():\n",
        test="tests/cache/test_children.py::test_a_child_missing_from_a_list_has_vanished",
        history="ttl:drop:Job:13-14",
    ),
    Mutant(
        "awaited objects wake nobody",
        "A flow that waits for a template is due when the template comes.",
        "jobflow/controller.py",
        "                self.interests.set(key, plan.awaits)\n",
        "",
        test="tests/test_controller.py::test_a_flow_waits_for_its_template_and_starts_when_it_comes",
        history="delete:template-deleted:b:11",
    ),
    # Order: nothing too early, nothing too late.
    Mutant(
        "create before all targets succeeded",
        "A gate opens when all targets have succeeded.",
        "jobflow/reconcile/gate.py",
        '    if missing:\n        return Closed(Reason.DEPENDENCY, _tell("waits for", missing))\n',
        "    if len(missing) > len(targets) // 2:\n"
        '        return Closed(Reason.DEPENDENCY, _tell("waits for", missing))\n',
        test="tests/reconcile/test_flow.py::test_a_diamond",
        history="diamond",
    ),
    Mutant(
        "create after the outcome is decided",
        "No child is created after the outcome is decided.",
        "jobflow/reconcile/flow.py",
        "        advance = Advance(close(advance.standings, decision), questions=advance.questions)\n",
        "        advance.standings = close(advance.standings, decision)\n",
        test="tests/reconcile/test_flow.py::test_a_failure_stops_what_has_not_started_and_lets_run_what_has",
    ),
    Mutant(
        "create for a flow that is being deleted",
        "No child is created while the flow is being deleted.",
        "jobflow/reconcile/flow.py",
        "        advance_steps(snapshot, graph, advance)\n"
        "    decision = _invalid(flow, problem) if problem else _decided(snapshot, graph, advance)\n"
        "    if decision is not None or flow.deleting:\n",
        "        advance_steps(snapshot, graph, advance)\n"
        "    elif not problem:\n        advance_steps(snapshot, graph, advance)\n"
        "    decision = _invalid(flow, problem) if problem else _decided(snapshot, graph, advance)\n"
        "    if decision is not None:\n",
        test="tests/reconcile/test_flow.py::test_a_deleted_flow_starts_nothing_and_is_terminating",
        history="chain:held-delete:12",
    ),
    Mutant(
        "delete before the success is committed",
        "Policy delete deletes children once the flow's success is committed.",
        "jobflow/reconcile/retain.py",
        "    if policy is not RetainPolicy.RETAIN and mine and _is_over(flow):\n",
        "    if policy is not RetainPolicy.RETAIN and mine and all(child.phase.terminal for child in mine):\n",
        test="tests/reconcile/test_retain.py::test_the_policy",
        history="delete",
    ),
    Mutant(
        "delete before the step's result is committed",
        "A child whose time has come is deleted after its step's result is committed.",
        "jobflow/reconcile/retain.py",
        "    ours = (record for record in committed.flowStatuses if record.phase.settled)\n",
        "    ours = (record for record in committed.flowStatuses)\n",
        test="tests/reconcile/test_retain.py::test_the_time_to_live_whatever_the_policy",
        history="ttl:stale:Job:4",
    ),
    Mutant(
        "TTL left on the child",
        "ttlSecondsAfterFinished is taken off the child and applied by us, after the commit.",
        "jobflow/reconcile/child.py",
        '    ttl = spec.pop("ttlSecondsAfterFinished", None)\n',
        '    ttl = spec.get("ttlSecondsAfterFinished")\n',
        test="tests/reconcile/test_child.py::test_the_ttl_is_taken_off_and_kept_for_us",
        history="ttl:drop:Job:12-17",
    ),
    Mutant(
        "a final phase that changes",
        "A final phase that is committed never changes.",
        "jobflow/reconcile/phase.py",
        "    if flow.committed.state.phase in FINAL_PHASES:\n        return flow.committed.state\n",
        "",
        test="tests/reconcile/test_flow.py::test_a_failure_that_is_committed_stays_as_it_was_told",
        history="failing:held-delete:29",
    ),
    # Refusals: one step's trouble is its own.
    Mutant(
        "a refusal that blocks other branches",
        "What keeps one step from starting delays no other branch.",
        "jobflow/reconcile/advance.py",
        "                advance.standings[step.name] = _start(snapshot, standing, advance)\n",
        "                advance.standings[step.name] = _start(snapshot, standing, advance)\n"
        "                if advance.standings[step.name].reason != Reason.CREATING:\n"
        "                    return\n",
        test="tests/reconcile/test_flow.py::TestARefusedChild::test_keeps_only_its_own_step_waiting_until_the_next_try",
        history="diamond:template-absent:b",
    ),
    Mutant(
        "a failed call that keeps back the others",
        "A call that fails keeps back neither the other calls nor the status.",
        "jobflow/act/flow.py",
        "        results = await asyncio.gather(*calls, return_exceptions=True)\n",
        "        results = []\n        for call in calls:\n            results.append(await call)\n",
        test="tests/act/test_flow.py::test_one_call_without_answer_keeps_back_neither_the_others_nor_what_was_learned",
        history="diamond:lost-answer:6",
    ),
    Mutant(
        "a refusal that is final",
        "Only a create refused with 422 fails the step; any other refusal is worth another try.",
        "jobflow/act/children.py",
        "    except Forbidden as error:  # to create it, or to look at what has its name\n"
        '        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}")\n',
        "    except Forbidden as error:  # to create it, or to look at what has its name\n"
        '        return Refused(Reason.CHILD_REJECTED, f"Job {wanted.name}: {error.message}", final=True)\n',
        test="tests/act/test_children.py::test_a_refusal_is_told_in_the_servers_words",
        history="chain:answer:1:403",
    ),
    Mutant(
        "an unfinished child that is not re-created",
        "A child last seen unfinished and then deleted by a stranger is created again.",
        "jobflow/reconcile/advance.py",
        "        match Open() if standing.had_child else _gate(snapshot, step, advance):\n",
        "        if standing.had_child:\n            continue\n        match _gate(snapshot, step, advance):\n",
        test="tests/reconcile/test_flow.py::TestAChildThatAStrangerDeleted",
        history="delete:stranger-deletes:delete-c:25",
    ),
)
