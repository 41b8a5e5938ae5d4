using System.CommandLine;
using Kvorum.Cli.Client;
using Kvorum.Cli.Members;
using Kvorum.Cli.Serve;
using Spectre.Console;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum member': who belongs to the cluster, and changes of that while it runs.</summary>
internal static class MemberCommand
{
    public static Command Create() => new("member", "Show and change the members of a running cluster.")
    {
        List(),
        Add(),
        Remove(),
        Promote(),
        Replace(),
    };

    private static Command List()
    {
        var common = new MemberOptions();
        var command = new Command("list", "Show every member, its addresses, and how far it is.");
        common.AddTo(command, isChange: false);
        command.SetAction(async (parsed, cancel) =>
        {
            using var cluster = common.Client.Connect(parsed);
            var calls = common.Calls(parsed, cluster);
            MembersReport report;
            byte[] body;
            try
            {
                (report, body) = await calls.ListAsync(cancel).ConfigureAwait(false);
            }
            catch (CommandFailedException e) when (e.Code == ExitCode.Unavailable)
            {
                if (await calls.ListLocallyAsync(cancel).ConfigureAwait(false) is not { } local)
                {
                    throw;
                }

                (report, body) = local;
                await Console.Error.WriteLineAsync(
                    $"No quorum confirms it: this is what {report.Node} knows, it may be old.").ConfigureAwait(false);
            }

            if (common.IsJson(parsed))
            {
                Console.WriteLine(ChangeText.Json(body, membersAfter: null));
                return ExitCode.Done;
            }

            PrintTable(report);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command Add()
    {
        var name = new Argument<string>("NAME") { Description = "The new node's name." };
        var staysLearner = new Option<bool>("--learner")
        {
            Description = "It stays a learner: it has all data and never votes, until 'member promote'.",
        };
        var place = new PlaceOptions();
        var common = new MemberOptions();
        var command = new Command("add", "Add a node: a learner first, a voter once it is in sync.") { name };
        place.AddTo(command);
        command.Add(staysLearner);
        common.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var (node, peerUrl) = (MemberName(parsed, name), place.PeerUrl(parsed));
            var isLearner = parsed.GetValue(staysLearner);
            var body = MemberCalls.WishBody(node, peerUrl, place.ClientUrls(parsed), isLearner);
            using var cluster = common.Client.Connect(parsed);
            var calls = common.Calls(parsed, cluster);
            var answer = await calls.ChangeAsync(HttpMethod.Post, "/v1/members", common.IsDryRun(parsed), body, cancel)
                .ConfigureAwait(false);
            if (!common.IsDryRun(parsed) && !ChangeText.VotedBefore(answer, node))
            {
                SayHowToStart(MembersReport.Parse(answer), node, peerUrl);
            }

            var stays = isLearner || MembersReport.Parse(answer).Find(node) is { Kind: "learner" };
            var accepted = ChangeText.VotedBefore(answer, node) ? $"{node} is a voter already."
                : isLearner ? $"{node} is a learner."
                : stays ? $"{node} is a learner already and stays one: 'kvorum member promote {node}' makes it a voter."
                : $"{node} is a learner and will be promoted.";
            return await common.FinishAsync(
                parsed, answer, accepted,
                stays || ChangeText.VotedBefore(answer, node)
                    ? null
                    : () => common.Wait(parsed, calls).ForVoterAsync(node, inPlaceOf: null, cancel),
                $"{node} is promoted: it votes.").ConfigureAwait(false);
        });
        return command;
    }

    private static Command Remove()
    {
        var name = new Argument<string>("NAME") { Description = "The member to remove; it may be the leader." };
        var common = new MemberOptions();
        var command = new Command("remove", "Remove a member for ever; its process ends by itself.") { name };
        common.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var node = MemberName(parsed, name);
            using var cluster = common.Client.Connect(parsed);
            var calls = common.Calls(parsed, cluster);
            var answer = await calls.ChangeAsync(
                HttpMethod.Delete, MemberCalls.PathOf(node), common.IsDryRun(parsed), body: null, cancel)
                .ConfigureAwait(false);
            return await common.FinishAsync(
                parsed, answer, $"{node} leaves.",
                () => common.Wait(parsed, calls).ForRemovalAsync(node, cancel), $"{node} is removed.")
                .ConfigureAwait(false);
        });
        return command;
    }

    private static Command Promote()
    {
        var name = new Argument<string>("NAME") { Description = "A learner that is in sync." };
        var common = new MemberOptions();
        var command = new Command("promote", "Make a learner a voter; nodes that join need not be told.") { name };
        common.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var node = MemberName(parsed, name);
            using var cluster = common.Client.Connect(parsed);
            var calls = common.Calls(parsed, cluster);
            var answer = await calls.ChangeAsync(
                HttpMethod.Post, MemberCalls.PathOf(node, "promote"), common.IsDryRun(parsed), body: null, cancel)
                .ConfigureAwait(false);
            var isVoter = ChangeText.VotedBefore(answer, node);
            return await common.FinishAsync(
                parsed, answer, isVoter ? $"{node} votes already." : $"{node} is being promoted.",
                isVoter ? null : () => common.Wait(parsed, calls).ForVoterAsync(node, inPlaceOf: null, cancel),
                $"{node} is promoted: it votes.").ConfigureAwait(false);
        });
        return command;
    }

    private static Command Replace()
    {
        var old = new Argument<string>("OLD") { Description = "The member that goes; it may be dead." };
        var name = new Argument<string>("NEW") { Description = "The new node's name." };
        var place = new PlaceOptions();
        var common = new MemberOptions();
        var command = new Command(
            "replace", "Put a new node in the place of another, in one step once it is in sync.") { old, name };
        place.AddTo(command);
        common.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var (gone, node, peerUrl) = (MemberName(parsed, old), MemberName(parsed, name), place.PeerUrl(parsed));
            var body = MemberCalls.WishBody(node, peerUrl, place.ClientUrls(parsed), staysLearner: false);
            using var cluster = common.Client.Connect(parsed);
            var calls = common.Calls(parsed, cluster);
            var answer = await calls.ChangeAsync(
                HttpMethod.Post, MemberCalls.PathOf(gone, "replace"), common.IsDryRun(parsed), body, cancel)
                .ConfigureAwait(false);
            if (!common.IsDryRun(parsed) && !ChangeText.VotedBefore(answer, node))
            {
                SayHowToStart(MembersReport.Parse(answer), node, peerUrl);
            }

            var isDone = ChangeText.VotedBefore(answer, node) && MembersReport.Parse(answer).Find(gone) is null;
            return await common.FinishAsync(
                parsed, answer,
                isDone
                    ? $"{node} votes already and {gone} is no member."
                    : $"{node} is a learner and will take the place of {gone}.",
                isDone ? null : () => common.Wait(parsed, calls).ForVoterAsync(node, gone, cancel),
                $"{node} has taken the place of {gone}.").ConfigureAwait(false);
        });
        return command;
    }

    private static string MemberName(ParseResult parsed, Argument<string> argument)
    {
        var text = parsed.GetRequiredValue(argument);
        try
        {
            return SettingText.Name(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{argument.Name}: expected {e.Message}, found '{text}'.");
        }
    }

    /// <summary>etcd's way: the node was added first and is told with its flags whom to ask.</summary>
    private static void SayHowToStart(MembersReport report, string name, Uri peerUrl)
    {
        var own = MemberCalls.UrlText(peerUrl);
        var members = report.Members
            .Where(member => member.PeerUrl is not null && member.Name != name)
            .Select(member => $"{member.Name}={member.PeerUrl}")
            .Append($"{name}={own}");
        Console.Error.WriteLine($"If {name} does not run yet, start it there:");
        Console.Error.WriteLine(
            $"  kvorum serve --name {name} --listen-client-urls http://HOST:PORT --listen-peer-urls {own} "
            + $"--initial-cluster-state existing --initial-cluster {string.Join(',', members)}");
    }

    /// <summary>"joining for n3 (lost its data)".</summary>
    private static string KindOf(MemberReport member) =>
        $"{member.Kind}{(member.Replaces is { } old ? $" for {old}" : "")}{(member.MayVote ? "" : " (lost its data)")}";

    private static void PrintTable(MembersReport report)
    {
        var table = Terminal.Table("NAME", "KIND", "LEADER", "BEHIND", "CONNECTED", "PEER URL", "CLIENT URLS", "ID");
        foreach (var member in report.Members)
        {
            table.AddRow(
                new Text(member.Name),
                new Text(KindOf(member)),
                new Text(member.IsLeader ? "yes" : ""),
                new Text(member.EntriesBehind is { } behind ? ChangeText.Number(behind) : "-"),
                member.IsConnected ? new Text("yes") : new Text("no", new Style(Color.Yellow)),
                new Text(member.PeerUrl ?? "-"),
                new Text(member.ClientUrls.Count > 0 ? string.Join(',', member.ClientUrls) : "-"),
                new Text(member.Id));
        }

        Terminal.Output().Write(table);
        Console.WriteLine($"As {report.Node} tells: {ChangeText.Voters(report)}.");
    }
}
