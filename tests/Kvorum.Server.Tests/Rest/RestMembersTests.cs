using System.Net;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Rest;

/// <summary><c>/v1/members</c>, what is below it, and <c>/v1/leader</c>.</summary>
public sealed class RestMembersTests
{
    private const string New =
        """{"name":"n4","peerUrl":"http://127.0.0.1:2410","clientUrls":["http://127.0.0.1:2409"]}""";

    [Fact]
    public async Task The_list_shows_every_member_with_its_addresses_and_the_quorum()
    {
        await using var host = await RestHost.StartAsync(leaderUrl: "http://heard.test:1");
        await host.StoreAsync("a", [1]);
        host.Kvorum.Members.Add(new MemberStatus(4, false, true, true, 0, 0, "snapshot")
        {
            Address = new MemberAddress(4, "n4", "http://127.0.0.1:2410", ["http://told.test:1", "http://told.test:2"]),
            IsJoining = true,
        });
        host.Kvorum.Members[2] = host.Kvorum.Members[2] with { IsLeaving = true };

        using var answer = await host.GetAsync("/v1/members");

        var json = await answer.JsonAsync();
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("00000000000000c1", json.GetProperty("clusterId").GetString());
        Assert.Equal("n1", json.GetProperty("leader").GetString());
        Assert.Equal(2, json.GetProperty("quorum").GetInt32());
        Assert.Equal(1, json.GetProperty("failuresTolerated").GetInt32());
        var members = json.GetProperty("members").EnumerateArray().ToArray();
        Assert.Equal(
            """{"name":"n1","id":"0000000000000001","kind":"voter","isLeader":true,"""
            + "\"peerUrl\":\"http://127.0.0.1:2380\",\"clientUrls\":[\"http://127.0.0.1:2379\"],"
            + "\"isConnected\":true,\"mayVote\":true,\"matchIndex\":1,\"entriesBehind\":1}",
            members[0].GetRawText());
        Assert.Equal("leaving", members[2].GetProperty("kind").GetString());
        Assert.Equal("""["http://heard.test:1"]""", members[2].GetProperty("clientUrls").GetRawText());
        Assert.Equal("joining", members[3].GetProperty("kind").GetString());
        Assert.Equal(2, members[3].GetProperty("clientUrls").GetArrayLength());
        Assert.Equal(2, members[3].GetProperty("entriesBehind").GetInt64());
        Assert.Equal([Consistency.Linearizable], host.Kvorum.Reads);
    }

    [Fact]
    public async Task The_list_needs_a_quorum_unless_a_local_one_is_asked_for()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ReadFailure = new ReadTimeoutException();
        host.Kvorum.Role = NodeRole.Follower;

        using var confirmed = await host.GetAsync("/v1/members");
        await confirmed.IsProblemAsync(503, "read-timeout");

        using var local = await host.GetAsync("/v1/members?consistency=local");
        var first = (await local.JsonAsync()).GetProperty("members")[0];
        Assert.False(first.TryGetProperty("matchIndex", out _)); // Only a leader knows.
    }

    [Fact]
    public async Task A_node_is_added_as_a_learner_and_the_answer_is_all_it_needs_to_know()
    {
        await using var host = await RestHost.StartAsync();

        using var answer = await host.PostJsonAsync("/v1/members", New);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var (change, isDryRun) = Assert.Single(host.Kvorum.Changes);
        Assert.False(isDryRun);
        Assert.Equal(MemberChangeKind.Add, change.Kind);
        Assert.NotEqual(0UL, change.Node);
        Assert.Equal(("n4", "http://127.0.0.1:2410"), (change.New!.Name, change.New.PeerUrl));
        Assert.False(change.StaysLearner);
        var json = await answer.JsonAsync();
        Assert.Equal("n4", json.GetProperty("name").GetString());
        Assert.Equal(change.Node.ToString("x16", null), json.GetProperty("id").GetString());
        Assert.True(json.GetProperty("allowed").GetBoolean());
        Assert.Equal("""["n1","n2","n3","n4"]""", json.GetProperty("votersAfter").GetRawText());
        Assert.Equal(3, json.GetProperty("quorumAfter").GetInt32());
        Assert.Equal(4, json.GetProperty("members").GetArrayLength());
        Assert.Equal("http://127.0.0.1:2390", json.GetProperty("members")[1].GetProperty("peerUrl").GetString());
    }

    [Fact]
    public async Task Adding_the_same_node_again_changes_nothing_and_another_one_under_its_name_is_refused()
    {
        await using var host = await RestHost.StartAsync();
        using var first = await host.PostJsonAsync("/v1/members", New);
        var id = (await first.JsonAsync()).GetProperty("id").GetString();

        using var again = await host.PostJsonAsync("/v1/members", New);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(id, (await again.JsonAsync()).GetProperty("id").GetString());
        Assert.Single(host.Kvorum.Changes);

        using var other = await host.PostJsonAsync("/v1/members", """{"name":"n4","peerUrl":"http://127.0.0.1:1"}""");
        var problem = await other.IsProblemAsync(409, "member-exists");
        Assert.Contains("n4 is a member already", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        using var stolen = await host.PostJsonAsync(
            "/v1/members", """{"name":"n5","peerUrl":"http://127.0.0.1:2390/"}""");
        problem = await stolen.IsProblemAsync(409, "member-exists");
        Assert.Contains("which is that of n2", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Single(host.Kvorum.Changes);
    }

    [Fact]
    public async Task A_learner_that_stays_one_is_asked_for_by_name()
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.PostJsonAsync(
            "/v1/members", """{"name":"n4","peerUrl":"http://127.0.0.1:2410","learner":true}""");
        Assert.True(Assert.Single(host.Kvorum.Changes).Change.StaysLearner);
        Assert.Equal("""["n1","n2","n3"]""", (await answer.JsonAsync()).GetProperty("votersAfter").GetRawText());
    }

    [Theory]
    [InlineData("POST", "/v1/members?dryRun=true", New)]
    [InlineData("POST", "/v1/members/n2/replace?dryRun", New)]
    [InlineData("DELETE", "/v1/members/n2?dryRun=true", null)]
    public async Task A_dry_run_tells_the_refusal_and_changes_nothing(string method, string path, string? body)
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.Refusal = "n3 does not answer.";

        using var answer = body is null ? await host.SendAsync(method, path) : await host.PostJsonAsync(path, body);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var json = await answer.JsonAsync();
        Assert.True(json.GetProperty("dryRun").GetBoolean());
        Assert.False(json.GetProperty("allowed").GetBoolean());
        Assert.Equal("n3 does not answer.", json.GetProperty("refusal").GetString());
        Assert.True(Assert.Single(host.Kvorum.Changes).IsDryRun);
        Assert.Equal(3, host.Kvorum.Members.Count);
    }

    [Fact]
    public async Task A_refusal_says_why_and_which_quorum_would_have_resulted()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ChangeFailure = new MemberChangeRefusedException("only 1 of the 2 voters left answers.");

        using var answer = await host.DeleteAsync("/v1/members/n2");

        var problem = await answer.IsProblemAsync(409, "change-refused");
        var detail = problem.GetProperty("detail").GetString();
        Assert.Contains("only 1 of the 2 voters left", detail, StringComparison.Ordinal);
        Assert.Equal("""["n1","n2","n3"]""", problem.GetProperty("votersBefore").GetRawText());
        Assert.Equal("""["n1","n3"]""", problem.GetProperty("votersAfter").GetRawText());
        Assert.Equal(2, problem.GetProperty("quorumAfter").GetInt32());
        Assert.Equal(0, problem.GetProperty("failuresToleratedAfter").GetInt32());
        Assert.Equal("not-proposed", problem.GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Removing_promoting_and_replacing_name_the_node_by_its_name()
    {
        await using var host = await RestHost.StartAsync();
        using (await host.PostJsonAsync("/v1/members", New))
        {
        }

        var added = host.Kvorum.Changes[0].Change.Node;
        using var promoted = await host.SendAsync("POST", "/v1/members/n4/promote");
        Assert.Equal(HttpStatusCode.OK, promoted.StatusCode);
        Assert.Equal(new MemberChange(MemberChangeKind.Promote, added, null), host.Kvorum.Changes[1].Change);
        using var again = await host.SendAsync("POST", "/v1/members/n4/promote");
        Assert.Equal(HttpStatusCode.OK, again.StatusCode); // A voter already: nothing to do.
        Assert.Equal(2, host.Kvorum.Changes.Count);

        using var replaced = await host.PostJsonAsync(
            "/v1/members/n2/replace", """{"name":"n5","peerUrl":"http://127.0.0.1:2420"}""");
        Assert.Equal(HttpStatusCode.Created, replaced.StatusCode);
        var replace = host.Kvorum.Changes[2].Change;
        Assert.Equal((MemberChangeKind.Replace, 2UL), (replace.Kind, replace.Node));

        using var removed = await host.DeleteAsync("/v1/members/n%33");
        Assert.Equal(HttpStatusCode.OK, removed.StatusCode);
        Assert.Equal("n3", (await removed.JsonAsync()).GetProperty("name").GetString());
        Assert.Equal(new MemberChange(MemberChangeKind.Remove, 3, null), host.Kvorum.Changes[3].Change);
        using var gone = await host.DeleteAsync("/v1/members/n3");
        await gone.IsProblemAsync(404, "member-not-found");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_learner_that_joins_or_not_gets_in_line_for_the_place_and_that_only_once(bool staysLearner)
    {
        await using var host = await RestHost.StartAsync();
        var body = staysLearner ? New.Replace("}", ""","learner":true}""", StringComparison.Ordinal) : New;
        using var added = await host.PostJsonAsync("/v1/members", body);
        var id = host.Kvorum.Changes[0].Change.Node;

        using var replaced = await host.PostJsonAsync("/v1/members/n3/replace", New);
        Assert.Equal(HttpStatusCode.OK, replaced.StatusCode);
        var change = host.Kvorum.Changes[1].Change;
        Assert.Equal((MemberChangeKind.Replace, 3UL, id), (change.Kind, change.Node, change.New!.Node));
        var json = await replaced.JsonAsync();
        Assert.Equal("""["n1","n2","n4"]""", json.GetProperty("votersAfter").GetRawText());
        Assert.Equal("n3", json.GetProperty("members")[3].GetProperty("replaces").GetString());
        Assert.False(json.GetProperty("members")[2].TryGetProperty("replaces", out _));

        using var again = await host.PostJsonAsync("/v1/members/n3/replace", New);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(2, host.Kvorum.Changes.Count);
    }

    [Fact]
    public async Task A_voter_takes_no_place_and_has_it_only_when_the_old_one_is_gone()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.Members.Add(new MemberStatus(4, true, true, true, 0, 0, "replicate")
        {
            Address = new MemberAddress(4, "n4", "http://127.0.0.1:2410", []),
        });

        using var answer = await host.PostJsonAsync("/v1/members/n3/replace", New);
        var problem = await answer.IsProblemAsync(409, "change-refused");
        Assert.Contains(
            "found n4, which votes already, beside n3. Remove n3", problem.GetProperty("detail").GetString(),
            StringComparison.Ordinal);
        Assert.Equal(4, problem.GetProperty("votersAfter").GetArrayLength());
        using var dry = await host.PostJsonAsync("/v1/members/n3/replace?dryRun", New);
        Assert.False((await dry.JsonAsync()).GetProperty("allowed").GetBoolean());
        using var itself = await host.PostJsonAsync("/v1/members/n4/replace", New);
        problem = await itself.IsProblemAsync(409, "change-refused");
        Assert.Contains("cannot take its own", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);

        host.Kvorum.Members[2] = host.Kvorum.Members[2] with { IsLeaving = true };
        using var going = await host.PostJsonAsync("/v1/members/n3/replace", New);
        Assert.Equal(HttpStatusCode.OK, going.StatusCode);
        host.Kvorum.Members.RemoveAt(2);
        using var gone = await host.PostJsonAsync("/v1/members/n3/replace", New);
        Assert.Equal(HttpStatusCode.OK, gone.StatusCode);
        Assert.Empty(host.Kvorum.Changes);
    }

    [Fact]
    public async Task A_learner_in_line_for_another_place_is_left_to_the_leader_to_refuse()
    {
        await using var host = await RestHost.StartAsync();
        using (await host.PostJsonAsync("/v1/members/n2/replace", New))
        {
        }

        host.Kvorum.ChangeFailure = new MemberChangeRefusedException("n4 is to take the place of n2, not of n3.");
        using var other = await host.PostJsonAsync("/v1/members/n3/replace", New);
        await other.IsProblemAsync(409, "change-refused");
        using var unknown = await host.PostJsonAsync("/v1/members/n9/replace", New);
        await unknown.IsProblemAsync(404, "member-not-found");
    }

    [Theory]
    [InlineData("""{"peerUrl":"http://127.0.0.1:1"}""", "a property 'name'")]
    [InlineData("""{"name":"n4"}""", "a property 'peerUrl'")]
    [InlineData("""{"name":"n 4","peerUrl":"http://127.0.0.1:1"}""", "name: expected 1 to 64 letters")]
    [InlineData("""{"name":"n4","peerUrl":"https://127.0.0.1:1"}""", "peerUrl: expected a URL")]
    [InlineData("""{"name":"n4","peerUrl":"http://127.0.0.1:1/x"}""", "peerUrl: expected a URL")]
    [InlineData("""{"name":"n4","peerUrl":7}""", "peerUrl: expected a string")]
    [InlineData("""{"name":"n4","peerUrl":"http://a:1","clientUrls":"http://a:2"}""", "clientUrls: expected a list")]
    [InlineData("""{"name":"n4","peerUrl":"http://a:1","learner":"yes"}""", "learner: expected true or false")]
    [InlineData("""{"name":"n4","peerUrl":"http://a:1","voter":true}""", "found 'voter'")]
    public async Task A_wrong_body_is_named(string body, string part)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.PostJsonAsync("/v1/members", body);
        var problem = await answer.IsProblemAsync(400, "bad-body");
        Assert.Contains(part, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Changes);
    }

    [Theory]
    [InlineData("/v1/members/")]
    [InlineData("/v1/members//promote")]
    [InlineData("/v1/members/n2/other")]
    [InlineData("/v1/members/n2/promote/")]
    public async Task Nothing_else_is_served_below_members(string path)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.SendAsync("POST", path);
        await answer.IsProblemAsync(404, "route-not-found");
    }

    [Fact]
    public async Task Leadership_moves_to_the_node_named_or_to_anybody()
    {
        await using var host = await RestHost.StartAsync(leaderUrl: "http://other.test:1");
        using var before = await host.GetAsync("/v1/leader");
        Assert.Equal(
            """{"leader":"n1","term":3,"clientUrl":"http://127.0.0.1:2379"}""", await before.TextAsync());

        using var moved = await host.PostJsonAsync("/v1/leader", """{"to":"n3"}""");
        Assert.Equal("""{"leader":"n3","term":3,"clientUrl":"http://other.test:1"}""", await moved.TextAsync());
        using var again = await host.PostJsonAsync("/v1/leader", """{"to":"n3"}""");
        Assert.Equal(HttpStatusCode.OK, again.StatusCode); // It leads already.
        using var anybody = await host.SendAsync("POST", "/v1/leader");
        Assert.Equal(HttpStatusCode.OK, anybody.StatusCode);
        Assert.Equal([3, null], host.Kvorum.Transfers);

        using var unknown = await host.PostJsonAsync("/v1/leader", """{"to":"n9"}""");
        await unknown.IsProblemAsync(404, "member-not-found");
        host.Kvorum.ChangeFailure = new MemberChangeRefusedException("n2 is a learner.");
        using var refused = await host.PostJsonAsync("/v1/leader", """{"to":"n1"}""");
        var problem = await refused.IsProblemAsync(409, "change-refused");
        Assert.Equal("The change was refused: n2 is a learner.", problem.GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Leadership_that_did_not_move_is_told_with_how_far_the_target_is_behind()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ChangeFailure = new OutcomeUnknownException("it did not come about in time");

        using var stays = await host.PostJsonAsync("/v1/leader", """{"to":"n3"}""");
        var problem = await stays.IsProblemAsync(409, "not-taken-over");
        Assert.Equal(
            "n3 did not take over in time; it is 1 entries behind. n1 goes on as the leader.",
            problem.GetProperty("detail").GetString());
        using var anybody = await host.PostJsonAsync("/v1/leader", "{}");
        problem = await anybody.IsProblemAsync(409, "not-taken-over");
        Assert.StartsWith("Nobody else did", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);

        host.Kvorum.Leader = null;
        using var nobody = await host.PostJsonAsync("/v1/leader", "{}");
        await nobody.IsProblemAsync(503, "outcome-unknown");
    }

    [Fact]
    public async Task A_redirect_follows_the_membership_before_the_handshake()
    {
        await using var host = await RestHost.StartAsync(leaderUrl: "http://heard.test:1");
        host.Kvorum.Members[1] = host.Kvorum.Members[1] with
        {
            Address = new MemberAddress(2, "n2", "http://127.0.0.1:2390", ["http://told.test:1"]),
        };
        host.Kvorum.Role = NodeRole.Follower;
        host.Kvorum.Leader = 2;
        using var answer = await host.GetAsync("/some-key");
        Assert.Equal("http://told.test:1/some-key", answer.Header("Location"));
    }

    [Fact]
    public async Task A_member_unknown_at_the_start_is_shown_by_its_name_everywhere()
    {
        await using var host = await RestHost.StartAsync();
        using (await host.PostJsonAsync("/v1/members", New))
        {
        }

        using var answer = await host.GetAsync("/");
        var members = (await answer.JsonAsync()).GetProperty("status").GetProperty("members");
        Assert.Equal("""["127.0.0.1",2410,"127.0.0.1",2409]""", members.GetProperty("n4").GetRawText());
        using var metrics = await host.GetAsync("/metrics");
        Assert.Contains("kvorum_peer_connected{peer=\"n4\"}", await metrics.TextAsync(), StringComparison.Ordinal);
    }
}
