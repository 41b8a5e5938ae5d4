using System.CommandLine;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum del KEY': removes a key.</summary>
internal static class DelCommand
{
    public static Command Create()
    {
        var key = new Argument<string>("KEY") { Description = "The key." };
        var client = new ClientOptions();
        var command = new Command("del", "Delete a key. Exit code 3 when it does not exist.") { key };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var path = KeyCalls.PathOf(parsed.GetRequiredValue(key));
            using var cluster = client.Connect(parsed);
            var call = new Call(HttpMethod.Delete, path, IsWrite: true);
            KeyCalls.Demand(await cluster.SendAsync(call, cancel).ConfigureAwait(false));
            Console.WriteLine("OK");
            return ExitCode.Done;
        });
        return command;
    }
}
