using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvorum.Cli.Client;
using Kvorum.Cli.Members;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum leader': who leads, and another one shall.</summary>
internal static class LeaderCommand
{
    private const string Path = "/v1/leader";

    public static Command Create() => new("leader", "Show the leader, or hand leadership over.") { Show(), Move() };

    private static Command Show()
    {
        var output = Output();
        var client = new ClientOptions();
        var command = new Command("show", "Print the leader's name. Exit code 4 when none is known.") { output };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var cluster = client.Connect(parsed);
            var answer = await cluster.SendAsync(new Call(HttpMethod.Get, Path, IsWrite: false), cancel)
                .ConfigureAwait(false);
            MemberCalls.Demand(answer);
            return Print(answer, parsed.GetRequiredValue(output), leader => leader);
        });
        return command;
    }

    private static Command Move()
    {
        var to = new Argument<string?>("TO")
        {
            Description = "The voter that shall lead; the most advanced one when left out.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var output = Output();
        var client = new ClientOptions();
        var command = new Command("move", "Hand leadership over; no write fails for it.") { to, output };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var cluster = client.Connect(parsed);
            var call = new Call(HttpMethod.Post, Path, IsWrite: true)
            {
                Body = BodyOf(parsed.GetValue(to)),
                ContentType = "application/json",
            };
            Answer answer;
            try
            {
                answer = await cluster.SendAsync(call, cancel).ConfigureAwait(false);
            }
            catch (CommandFailedException e) when (e.Code == ExitCode.OutcomeUnknown)
            {
                var calls = new MemberCalls(cluster, client.Endpoints(parsed), client.Timeout(parsed));
                if (await NotMovedAsync(calls, parsed.GetValue(to), e, cancel).ConfigureAwait(false) is { } failure)
                {
                    throw failure;
                }

                answer = await cluster.SendAsync(new Call(HttpMethod.Get, Path, IsWrite: false), cancel)
                    .ConfigureAwait(false);
            }

            MemberCalls.Demand(answer);
            return Print(answer, parsed.GetRequiredValue(output), leader => $"{leader} leads.");
        });
        return command;
    }

    /// <summary>
    /// No answer came in time: what is so now, in the words of a hand-over rather than of a write; null when it moved.
    /// </summary>
    private static async Task<CommandFailedException?> NotMovedAsync(
        MemberCalls calls, string? to, CommandFailedException unknown, CancellationToken cancel)
    {
        MembersReport report;
        try
        {
            (report, _) = await calls.ListAsync(cancel).ConfigureAwait(false);
        }
        catch (CommandFailedException)
        {
            return new CommandFailedException(
                unknown.Code, "It is not known who leads: leadership was to move, and no endpoint tells the outcome.");
        }

        if (to is not null && report.Leader == to)
        {
            return null;
        }

        var target = to is null ? null : report.Find(to);
        var behind = target?.EntriesBehind is > 0 and { } entries
            ? $"; it is {ChangeText.Number(entries)} entries behind"
            : target is { IsConnected: false } ? "; it is not connected" : "";
        var leads = report.Leader is { } leader ? $"{leader} leads." : "No leader is known.";
        var what = to is null ? "No node said in time that it took over" : $"{to} did not take over in time{behind}";
        return new CommandFailedException(ExitCode.Failed, $"{what}. {leads}");
    }

    private static Option<string> Output()
    {
        var output = new Option<string>("--output")
        {
            Description = "text, or json: one document.",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => "text",
        };
        output.AcceptOnlyFromAmong("text", "json");
        return output;
    }

    private static byte[] BodyOf(string? to)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (to is not null)
            {
                json.WriteString("to", to);
            }

            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    private static int Print(Answer answer, string format, Func<string, string> text)
    {
        var document = JsonNode.Parse(answer.Body)!.AsObject(); // A node's answer is an object.
        var leader = (string?)document["leader"];
        if (format == "json")
        {
            Console.WriteLine(ChangeText.Pretty(document));
        }
        else
        {
            Console.WriteLine(leader is null ? "No leader is known." : text(leader));
        }

        return leader is null ? ExitCode.Unavailable : ExitCode.Done;
    }
}
