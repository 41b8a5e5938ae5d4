using System.Diagnostics;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>The command line of etcd 3.4 as a foreign client, where it is installed.</summary>
internal static class EtcdCtl
{
    /// <summary>Skips the test, with the reason, where there is none.</summary>
    public static void Require() => Assert.SkipUnless(
        Path() is not null, "etcdctl is not installed (Debian package etcd-client): its commands are not tried.");

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Exit, string Output)> RunAsync(
        string endpoints, string input, params string[] arguments)
    {
        using var process = Start(endpoints, arguments);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(GrpcClient.Cancel);
        var errors = process.StandardError.ReadToEndAsync(GrpcClient.Cancel);
        try
        {
            await process.WaitForExitAsync(GrpcClient.Cancel).WaitAsync(3 * Peers.TestNode.Patience, GrpcClient.Cancel);
        }
        catch
        {
            process.Kill();
            throw;
        }

        return (process.ExitCode, await output + await errors);
    }

    /// <summary>Runs it in the background; the caller ends it.</summary>
    public static Process Start(string endpoints, params string[] arguments)
    {
        var path = Path() ?? throw new InvalidOperationException("Require comes first.");
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ETCDCTL_API"] = "3";
        start.Environment["ETCDCTL_ENDPOINTS"] = endpoints;
        return Process.Start(start) ?? throw new InvalidOperationException("etcdctl did not start.");
    }

    private static string? Path() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
            .Select(folder => System.IO.Path.Combine(folder, "etcdctl"))
            .FirstOrDefault(File.Exists);
}
