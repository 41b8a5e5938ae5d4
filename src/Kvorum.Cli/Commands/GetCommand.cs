using System.CommandLine;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum get KEY': writes the value to stdout, byte for byte.</summary>
internal static class GetCommand
{
    public static Command Create()
    {
        var key = new Argument<string>("KEY") { Description = "The key." };
        var at = Numbers.Option("--at", 1, long.MaxValue);
        at.Description = "Read as of this older revision.";
        at.HelpName = "REVISION";
        var local = new Option<bool>("--local")
        {
            Description = "Read what the first endpoint has, which may be old; works without a quorum.",
        };
        var client = new ClientOptions();
        var command = new Command("get", "Read a key: every write acknowledged before is seen, on any node.") { key, at, local };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var query = new List<string>();
            if (parsed.GetValue(at) is { } revision)
            {
                query.Add($"at={revision}");
            }

            if (parsed.GetValue(local))
            {
                query.Add("consistency=local");
            }

            var path = KeyCalls.PathOf(parsed.GetRequiredValue(key));
            path = query.Count > 0 ? $"{path}?{string.Join('&', query)}" : path;
            using var cluster = client.Connect(parsed);
            var answer = await cluster.SendAsync(new Call(HttpMethod.Get, path, IsWrite: false), cancel).ConfigureAwait(false);
            KeyCalls.Demand(answer);
            await WriteAsync(answer.Body, cancel).ConfigureAwait(false);
            return ExitCode.Done;
        });
        return command;
    }

    private static async Task WriteAsync(byte[] value, CancellationToken cancel)
    {
        using var output = Console.OpenStandardOutput();
        await output.WriteAsync(value, cancel).ConfigureAwait(false);

        // On a terminal the next prompt starts on its own line; in a pipe the value stays as it is.
        if (!Console.IsOutputRedirected && (value.Length == 0 || value[^1] != (byte)'\n'))
        {
            output.WriteByte((byte)'\n');
        }
    }
}
